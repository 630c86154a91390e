/** Where the server is: at the page's own address, also where a proxy puts both under a path of its own. */

/** The address of a `path` (`api/v1/…`, `socket.io/`) of the server. */
export function addressOf(path) {
  return new URL(path.replace(/^\//, ""), document.baseURI.replace(/[?#].*$/, ""));
}
