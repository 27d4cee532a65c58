/** One upload, with its progress. `fetch` tells nothing of a body on its way, so this is an XMLHttpRequest. */
import { failure } from '#lib/api/client.ts';
import { CallError, UNREACHED } from '#lib/api/errors.ts';

export interface UploadRequest {
  sandbox: string;
  path: string;
  file: Blob;
  token: string | undefined;
  signal: AbortSignal;
  onprogress: (sent: number) => void;
}

/** Resolves when the file is written. Throws a `CallError`, or the signal's reason. */
export function upload({ sandbox, path, file, token, signal, onprogress }: UploadRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    const body = new FormData();
    // The API reads the body as it comes: it must know the path first.
    body.append('path', path);
    body.append('file', file, 'file');
    request.open('POST', `/v1/sandboxes/${sandbox}/files/stream/write`);
    if (token) request.setRequestHeader('authorization', `Bearer ${token}`);
    request.upload.onprogress = ({ loaded }) => onprogress(Math.min(loaded, file.size));
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(failed(request));
    };
    request.onerror = () => reject(UNREACHED);
    request.onabort = () => reject(signal.reason instanceof Error ? signal.reason : UNREACHED);
    signal.addEventListener('abort', () => request.abort(), { once: true });
    request.send(body);
  });
}

function failed(request: XMLHttpRequest): CallError {
  let body: unknown;
  try {
    body = JSON.parse(request.responseText);
  } catch {
    // A proxy has answered.
  }
  const headers = new Headers();
  for (const name of ['x-request-id', 'retry-after']) {
    const value = request.getResponseHeader(name);
    if (value !== null) headers.set(name, value);
  }
  return failure(body, new Response(null, { status: Math.max(request.status, 400), headers }));
}
