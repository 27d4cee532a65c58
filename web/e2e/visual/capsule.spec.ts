import type { Page } from '@playwright/test';
import type { FileEntry } from '../../src/lib/api/types.ts';
import { type Db, minutesAgo, NOW } from '../../mocks/db.ts';
import { disk, file, folder } from '../../mocks/files.ts';
import { busy, ended, history, idOf, paused, running, vanished } from './data.ts';
import { OVER, scene, type Stage } from './pictures.ts';

const at = (id: string, rest = '') => `/dashboard/capsules/${id}${rest}`;
const given = (db: Db) => {
  history(db);
  db.sandboxes.push(ended, vanished);
};

scene('capsule', {
  path: at(running.id),
  given: (db) => {
    given(db);
    db.holders = [{ kind: 'terminal', pid: 412, count: 1, since: minutesAgo(1) }];
    db.processes = [
      { pid: 412, cmd: 'python', args: ['train.py', '--epochs', '40', '--data', '/data/a/very/long/path'] },
      { pid: 980, cmd: '/bin/bash', args: ['-l'] },
    ];
  },
  forced: true,
  show: async (page) => {
    await page.getByText('a terminal (pid 412)').waitFor();
    await page.getByRole('button', { name: 'Show processes' }).click();
    await page.getByText('python train.py').waitFor();
  },
});

scene('capsule-idle', {
  path: at(idOf('c0ffee42')),
  given,
  show: (page) => page.getByRole('meter', { name: 'Idle time left' }).waitFor(),
});

scene('capsule-paused', {
  path: at(paused.id),
  given,
  show: (page) => page.getByRole('button', { name: 'Resume' }).waitFor(),
});

scene('capsule-ended', {
  path: at(vanished.id),
  given,
  show: (page) => page.getByText('Nobody asked for that.').waitFor(),
});

scene('capsule-missing', {
  path: at(idOf('6b2f1d90')),
  given,
  show: (page) => page.getByRole('heading', { name: 'Clock' }).waitFor(),
});

scene('capsule-change-clock', {
  path: at(running.id),
  widths: OVER,
  given,
  show: async (page) => {
    await page.getByRole('button', { name: 'Change…' }).click();
    await page.getByRole('dialog').getByLabel('Idle timeout').waitFor();
  },
});

scene('capsule-label', {
  path: at(running.id),
  widths: OVER,
  given,
  show: async (page) => {
    await page.getByRole('button', { name: 'label', exact: true }).click();
    await page.getByRole('dialog').getByLabel('Name').waitFor();
  },
});

scene('capsule-activity', {
  path: at(running.id, '?tab=activity'),
  given,
  show: (page) =>
    page
      .getByText(/launched/)
      .first()
      .waitFor(),
});

scene('capsule-not-there', {
  path: at(idOf('00000000')),
  given: busy,
  allowed: /404/,
  show: (page) => page.getByRole('heading', { name: 'No such capsule in Atlas' }).waitFor(),
});

// The terminal: a shell that has printed in every colour.
const COLOURS = [30, 31, 32, 33, 34, 35, 36, 37]
  .map((code) => `\u001b[${code}m${code} \u001b[1mbold\u001b[0m`)
  .join(' ');
const OUTPUT = [
  '\u001b[32mroot@capsule\u001b[0m:\u001b[34m~\u001b[0m# make',
  'cc -O2 -Wall -c main.c',
  "\u001b[1mmain.c:12:5: \u001b[35mwarning: \u001b[0munused variable '\u001b[1mi\u001b[0m'",
  '┌──────────┬───────┐',
  '│ target   │ bytes │',
  '├──────────┼───────┤',
  '│ main.o   │  4160 │',
  '└──────────┴───────┘ █▓▒░',
  COLOURS,
  '\u001b[32mroot@capsule\u001b[0m:\u001b[34m~\u001b[0m# ',
].join('\r\n');
const terminal = at(running.id, '?tab=terminal');
const printed = async (page: Page, { shells }: Stage): Promise<void> => {
  await page.getByRole('tab', { name: 'bash:412' }).waitFor();
  shells.print(OUTPUT);
  await page.getByText('target').waitFor({ state: 'attached' });
};

scene('terminal', { path: terminal, given, show: printed });

scene('terminal-find', {
  path: terminal,
  given,
  show: async (page, stage) => {
    await printed(page, stage);
    await page.getByRole('button', { name: /^Find/ }).click();
    await page.getByLabel('Find in the shell').fill('main');
    await page.keyboard.press('Enter');
  },
});

scene('terminal-exit', {
  path: terminal,
  given,
  show: async (page, stage) => {
    await printed(page, stage);
    stage.shells.say({ type: 'exit', exit_code: 3 });
    await page.getByText('The shell exited with code 3.').waitFor();
  },
});

scene('terminal-paste', {
  path: terminal,
  widths: OVER,
  given,
  show: async (page, stage) => {
    await printed(page, stage);
    await page.locator('.xterm-helper-textarea').evaluate((node) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', 'cd /tmp\nrm -rf build\nmake\n');
      node.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    });
    await page.getByRole('dialog', { name: 'Paste 3 lines?' }).waitFor();
  },
});

scene('terminal-paused', {
  path: at(paused.id, '?tab=terminal'),
  given,
  show: (page) => page.getByText('Resume it to open a terminal.').waitFor(),
});

// Files.
const PROGRAM = `import torch

# Trains for a while, then says how it went.
def main(epochs: int = 40) -> None:
    model = torch.nn.Linear(8, 2)
    for epoch in range(epochs):
        loss = model(torch.rand(4, 8)).sum()
        print(f"epoch {epoch}: {loss:.3f}")


if __name__ == "__main__":
    main()
`;
const onDisk: typeof given = (db) => {
  given(db);
  const now = NOW / 1000;
  db.disk = disk(
    folder('/home/user/models'),
    folder('/home/user/.cache'),
    file('/home/user/train.py', PROGRAM, { modified_at: now - 180 }),
    file('/home/user/a name that goes on and on until nobody reads it any more.txt', 'some words'),
    file('/home/user/a\u202egnp.exe', '', { size: 88_000 }),
    file('/home/user/out', '', { type: 'symlink', symlink_target: '/data' } as Partial<FileEntry>),
    file('/home/user/weights.bin', '', { size: 2_400_000_000, modified_at: now - 9_000_000 }),
    file('/home/user/models/base.bin', '', { size: 20_000_000, modified_at: now - 7200 }),
  );
};
const files = at(running.id, '?tab=files&path=/home/user');
const listed = (page: Page) => page.getByRole('row', { name: /train\.py/ }).waitFor();

scene('files', {
  path: files,
  given: onDisk,
  show: async (page) => {
    await listed(page);
    await page.getByRole('row', { name: /models/ }).focus();
    await page.keyboard.press('ArrowRight');
    await page.getByRole('row', { name: /base\.bin/ }).waitFor();
  },
});

scene('files-preview', {
  path: `${files}&file=/home/user/train.py`,
  given: onDisk,
  show: (page) => page.getByText('torch.nn.Linear').waitFor(),
});

scene('files-too-large', {
  path: `${files}&file=/home/user/weights.bin`,
  given: onDisk,
  show: (page) => page.getByText('The file is larger than 10 MB').waitFor(),
});

scene('files-empty', {
  path: at(running.id, '?tab=files&path=/home/user/.cache'),
  given: onDisk,
  show: (page) => page.getByRole('heading', { name: 'The folder is empty' }).waitFor(),
});

scene('files-rename', {
  path: files,
  given: onDisk,
  show: async (page) => {
    await listed(page);
    await page.getByRole('row', { name: /train\.py/ }).focus();
    await page.keyboard.press('F2');
    await page.getByLabel('Name', { exact: true }).fill('models');
    await page.getByText('This name is taken.').waitFor();
  },
});

scene('files-delete', {
  path: files,
  widths: OVER,
  given: onDisk,
  show: async (page) => {
    await listed(page);
    await page.getByRole('row', { name: /models/ }).focus();
    await page.keyboard.press('Delete');
    await page.getByText('is gone for good').waitFor();
  },
});

scene('files-name-taken', {
  path: files,
  widths: OVER,
  given: onDisk,
  show: async (page) => {
    await listed(page);
    await page
      .getByLabel('Files to upload')
      .setInputFiles([{ name: 'train.py', mimeType: 'text/plain', buffer: Buffer.from('new') }]);
    await page.getByRole('dialog', { name: 'The name is taken' }).waitFor();
  },
});

// Ports.
const network = at(running.id, '?tab=network');

scene('network', {
  path: network,
  given: (db) => {
    given(db);
    db.ports = {
      url_pattern: 'https://{port}-sb-7f3a91c2.capsules.example',
      ports: [
        {
          port: 3000,
          address: '0.0.0.0',
          pid: 412,
          process: 'node',
          url: 'https://3000-sb-7f3a91c2-08d1-4a44-9f00-3c5d7e9f1a2b.capsules.example/',
        },
        { port: 5432, address: '127.0.0.1', pid: 90, process: 'postgres' },
        { port: 8080, address: '::', pid: 1204, process: 'a program with a name that goes on and on' },
      ],
    };
  },
  show: (page) => page.getByText('postgres').waitFor(),
});

scene('network-none', {
  path: network,
  given,
  show: (page) => page.getByText('No program listens').waitFor(),
});
