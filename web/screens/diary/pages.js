/** Lists of the diary, read page by page. */

const PAGE = 100;
/** More than a person has of anything on one day; of a longer list the newest are shown. */
const ITEMS_MAX = 2000;

/**
 * Read a list to its end: `{items, more}`; `more` says that there is more than is read.
 *
 * `ask({limit, after})` resolves to a page. Long texts make a page of a hundred too long for one
 * answer: then it is asked for fewer.
 */
export async function readAll(ask) {
  const items = [];
  let after = null;
  let limit = PAGE;
  do {
    let page;
    [page, limit] = await readPage(ask, after, limit);
    items.push(...page.items);
    after = page.next;
  } while (after && items.length < ITEMS_MAX);
  return { items, more: after !== null };
}

/** Read one page of at most `limit`; resolves to it, and to the limit that fitted. */
export async function readPage(ask, after, limit = PAGE) {
  for (let fewer = limit; ; fewer = Math.ceil(fewer / 2)) {
    try {
      return [await ask({ limit: fewer, ...(after ? { after } : {}) }), fewer];
    } catch (error) {
      if (error.code !== "answer_too_long" || fewer === 1) throw error;
    }
  }
}
