// What a source answers where it does not give what was asked for; `status` is that of HTTP.

export class Refused extends Error {
  constructor(readonly status: number, text: string) {
    super(text);
  }
}
