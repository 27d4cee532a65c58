import type { PageLoad } from './$types';

/** The address of `invitation_link` in `locule-control/src/accounts/email_templates.rs`. */
export const load: PageLoad = async ({ parent, url }) => {
  const { app } = await parent();
  return {
    token: url.searchParams.get('token') ?? '',
    next: url.pathname + url.search,
    email: app.session.login?.email,
    title: 'Invitation',
  };
};
