/** The search and the page of an administrator's list, as its address has them. */
export interface PageQuery {
  q: string;
  page: number;
}

export function parse(params: Pick<URLSearchParams, 'get'>): PageQuery {
  const page = params.get('page') ?? '';
  return {
    q: (params.get('q') ?? '').trim().slice(0, 254),
    page: /^[1-9][0-9]{0,5}$/.test(page) ? Number(page) : 1,
  };
}

export function print({ q, page }: PageQuery): string {
  const params = new URLSearchParams();
  if (q !== '') params.set('q', q);
  if (page > 1) params.set('page', String(page));
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

/** The parameters of the API. */
export function request({ q, page }: PageQuery) {
  return { page, ...(q === '' ? {} : { q }) };
}
