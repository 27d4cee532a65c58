/** What the installation offers to people without a login. */
export interface Info {
  version?: string;
  sign_up?: string;
  mail?: boolean;
  providers?: string[];
}

/** Nothing is offered where the platform does not tell. */
export async function loadInfo(send: typeof fetch = fetch): Promise<Info> {
  try {
    const response = await send('/v1/info');
    return response.ok ? ((await response.json()) as Info) : {};
  } catch {
    return {};
  }
}
