/** What the answer to a command, or its absence, says of it. */

/** Whether the server did not answer: it is not known whether the command was run. */
export function isUnanswered({ code }) {
  return code === "unreachable" || code === "no_answer";
}

/** Whether a command of `connection.send` was dropped: it waited until its session ended. */
export function isDropped({ code }) {
  return code === "unreachable";
}

/** What `answerOrWaiting` resolves to where a command waits. */
export const WAITING = Symbol("waiting");

/**
 * What a command of `connection.send` is answered, or `WAITING` as soon as it waits for the server:
 * the form it comes from is free then. Throws what it was refused with.
 */
export async function answerOrWaiting(connection, { clientId, done }) {
  const ended = new AbortController();
  const waiting = new Promise((resolve) => {
    const look = () => connection.waits(clientId) && resolve(WAITING);
    connection.addEventListener("state", look, { signal: ended.signal });
    look();
  });
  try {
    return await Promise.race([waiting, done]);
  } finally {
    ended.abort();
  }
}
