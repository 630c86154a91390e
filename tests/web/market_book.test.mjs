/** The book of the market's screen against the documented checksum, without a browser. */

import assert from "node:assert/strict";
import test from "node:test";
import { pathToFileURL } from "node:url";

globalThis.sessionStorage = { getItem: () => null, setItem() {}, removeItem() {} };

const web = pathToFileURL(`${process.env.WEB}/screens/market/`);
const { Book, crc32 } = await import(new URL("data.js", web));

const level = (price, quantity) => ({ price, quantity });
const snapshot = (changes = {}) => ({
  seq: 7,
  bids: [level("219.00", 2), level("218.50", 1)],
  asks: [level("220.00", 3)],
  more_bids: false,
  more_asks: false,
  last_sale: null,
  ...changes,
});
const event = (changes) => ({ seq: 8, prev_seq: 7, side: "bid", price: "219.00", quantity: 0, ...changes });

test("the check value of CRC-32", () => assert.equal(crc32("123456789"), 0xcbf43926));

test("events change levels, and a missed one asks for the book", () => {
  const book = new Book(snapshot());
  assert.equal(book.apply(event()), true);
  assert.deepEqual(book.levels("bid"), [{ price: "218.50", quantity: 1, sum: 1 }]);
  assert.equal(book.apply(event({ seq: 8 })), true);
  assert.equal(book.apply(event({ seq: 10, prev_seq: 9 })), false);
});

test("a level beyond what is known changes nothing but the place", () => {
  const book = new Book(snapshot({ more_bids: true }));
  assert.equal(book.apply(event({ price: "100.00", quantity: 5 })), true);
  assert.equal(book.levels("bid").length, 2);
  assert.equal(book.seq, 8);
  assert.equal(book.apply(event({ seq: 9, prev_seq: 8 })), false);
});

test("a heartbeat is compared for as many levels as are known", () => {
  const all = crc32("bid:219.00:2|bid:218.50:1|ask:220.00:3");
  const best = crc32("bid:219.00:2|ask:220.00:3");
  const checksums = [best, ...Array(9).fill(all)];
  assert.equal(new Book(snapshot()).matches({ checksums }), true);
  assert.equal(new Book(snapshot({ more_asks: true })).matches({ checksums }), true);
  assert.equal(new Book(snapshot()).matches({ checksums: Array(10).fill(best) }), false);
});
