// How a language counts: Polish has three forms where English has two.

export type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** `# alerts` with the number in the language's own digits in place of `#`. */
export function plural(language: string): (count: number, forms: Forms) => string {
  const rules = new Intl.PluralRules(language);
  const digits = new Intl.NumberFormat(language);
  return (count, forms) => (forms[rules.select(count)] ?? forms.other).replace('#', digits.format(count));
}
