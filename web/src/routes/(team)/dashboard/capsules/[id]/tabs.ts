import type { Component } from 'svelte';
import type { Sandbox } from '#lib/api/types.ts';

type Tab = Component<{ sandbox: Sandbox }>;

/** Tabs that touch the guest. Each loads when it is opened: a terminal is no part of a first look. */
const modules = import.meta.glob<{ default: Tab }>([
  '/src/lib/features/terminal/TerminalTab.svelte',
  '/src/lib/features/files/FilesTab.svelte',
  '/src/lib/features/network/NetworkTab.svelte',
]);

const LOADERS: Record<string, (() => Promise<{ default: Tab }>) | undefined> = {
  terminal: modules['/src/lib/features/terminal/TerminalTab.svelte'],
  files: modules['/src/lib/features/files/FilesTab.svelte'],
  network: modules['/src/lib/features/network/NetworkTab.svelte'],
};

const LABELS: readonly [string, string][] = [
  ['overview', 'Overview'],
  ['terminal', 'Terminal'],
  ['files', 'Files'],
  ['network', 'Network'],
  ['activity', 'Activity'],
];

export const TABS = LABELS.filter(
  ([id]) => id === 'overview' || id === 'activity' || LOADERS[id] !== undefined,
).map(([id, label]) => ({ id, label }));

/** The tab of an address. An unknown one is the overview. */
export function tabOf(params: { get(name: string): string | null }): string {
  const wanted = params.get('tab') ?? 'overview';
  return TABS.some((tab) => tab.id === wanted) ? wanted : 'overview';
}

export async function loadTab(id: string): Promise<Tab | undefined> {
  return (await LOADERS[id]?.())?.default;
}
