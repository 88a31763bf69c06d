// What went wrong, in words.

/** The message of whatever was thrown: compiled code throws numbers, too. */
export function messageOf(error) {
  return String(error?.message || error);
}
