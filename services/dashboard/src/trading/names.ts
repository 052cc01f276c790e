/** Words of the field for what the API names with underscores. */

/** `take_profit_1` as `take profit 1`; nothing as a dash. */
export function spoken(name: string | null | undefined): string {
  return name === null || name === undefined || name === '' ? '–' : name.replaceAll('_', ' ');
}
