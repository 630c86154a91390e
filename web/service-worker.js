/** Shows pushes while no page is open, and leads from them into the page. It keeps nothing. */

self.addEventListener("push", (event) => {
  let notification = {};
  try {
    notification = event.data.json();
  } catch {
    // A push that cannot be read still has to show something; browsers insist.
  }
  const { id, title = "Realtime", message = "", link = "" } = notification;
  const shown = { body: message, tag: id ? `notification-${id}` : undefined, data: { link } };
  event.waitUntil(self.registration.showNotification(title, shown));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.link ?? ""));
});

/** Sessions belong to tabs, so a page that is open is better than a new one. */
async function open(link) {
  const pages = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = pages.find(({ url }) => url.startsWith(self.registration.scope));
  if (page) {
    page.postMessage({ open: link });
    await page.focus();
    return;
  }
  const scope = new URL(self.registration.scope);
  const address = new URL(link.replace(/^\/+/, ""), scope);
  await self.clients.openWindow(address.href.startsWith(scope.href) ? address : scope);
}
