/** The tab and the page of an administrator's list of hosts, as its address has them. */
export interface HostsQuery {
  tab: 'platform' | 'byoc';
  page: number;
}

/** Hosts of teams on a page. */
export const PAGE = 50;

export function parse(params: Pick<URLSearchParams, 'get'>): HostsQuery {
  const page = params.get('page') ?? '';
  return {
    tab: params.get('tab') === 'byoc' ? 'byoc' : 'platform',
    page: /^[1-9][0-9]{0,5}$/.test(page) ? Number(page) : 1,
  };
}

export function print({ tab, page }: HostsQuery): string {
  const params = new URLSearchParams();
  if (tab === 'byoc') params.set('tab', tab);
  if (page > 1) params.set('page', String(page));
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}
