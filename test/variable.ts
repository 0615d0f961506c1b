/** The whole number in a variable of the environment; `otherwise` where it is not set. */
export function wholeNumber(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return otherwise;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is ${text}: it must be a whole number`);
  return value;
}
