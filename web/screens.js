/**
 * The table of screens. A new domain is a folder `screens/<id>/` and a line here.
 *
 * `title` is a key of the shared words, `icon` a symbol of `icons.svg`. `place` says where it is
 * reached from: `main` (the rail and the bar of a phone), `more` (the end of the rail, and the menu of
 * a phone) or `bell`. With `badge: true` the folder has a `badge.js` whose `watch(ctx, show)` counts
 * what is unread from sign-in on, also while the screen is closed.
 */
export const screens = [
  { id: "stories", icon: "stories", title: "screen.stories", place: "main" },
  { id: "chat", icon: "chat", title: "screen.chat", place: "main", badge: true },
  { id: "market", icon: "market", title: "screen.market", place: "main" },
  { id: "diary", icon: "diary", title: "screen.diary", place: "main" },
  { id: "notifications", icon: "bell", title: "screen.notifications", place: "bell", badge: true },
  { id: "account", icon: "account", title: "screen.account", place: "more" },
];

/** Where one arrives after signing in. */
export const FIRST = "stories";
