import type { StreamParser } from '@codemirror/language';
import { extension } from './content.ts';

type Load = () => Promise<StreamParser<unknown>>;

const javascript: Load = async () => (await import('@codemirror/legacy-modes/mode/javascript')).javascript;
const typescript: Load = async () => (await import('@codemirror/legacy-modes/mode/javascript')).typescript;
const json: Load = async () => (await import('@codemirror/legacy-modes/mode/javascript')).json;
const python: Load = async () => (await import('@codemirror/legacy-modes/mode/python')).python;
const shell: Load = async () => (await import('@codemirror/legacy-modes/mode/shell')).shell;
const rust: Load = async () => (await import('@codemirror/legacy-modes/mode/rust')).rust;
const go: Load = async () => (await import('@codemirror/legacy-modes/mode/go')).go;
const c: Load = async () => (await import('@codemirror/legacy-modes/mode/clike')).c;
const cpp: Load = async () => (await import('@codemirror/legacy-modes/mode/clike')).cpp;
const java: Load = async () => (await import('@codemirror/legacy-modes/mode/clike')).java;
const toml: Load = async () => (await import('@codemirror/legacy-modes/mode/toml')).toml;
const yaml: Load = async () => (await import('@codemirror/legacy-modes/mode/yaml')).yaml;
const properties: Load = async () => (await import('@codemirror/legacy-modes/mode/properties')).properties;
const docker: Load = async () => (await import('@codemirror/legacy-modes/mode/dockerfile')).dockerFile;
const css: Load = async () => (await import('@codemirror/legacy-modes/mode/css')).css;
const xml: Load = async () => (await import('@codemirror/legacy-modes/mode/xml')).xml;
const html: Load = async () => (await import('@codemirror/legacy-modes/mode/xml')).html;
const sql: Load = async () => (await import('@codemirror/legacy-modes/mode/sql')).standardSQL;
const ruby: Load = async () => (await import('@codemirror/legacy-modes/mode/ruby')).ruby;
const lua: Load = async () => (await import('@codemirror/legacy-modes/mode/lua')).lua;
const diff: Load = async () => (await import('@codemirror/legacy-modes/mode/diff')).diff;

const BY_EXTENSION: Record<string, Load> = {
  ...{ js: javascript, mjs: javascript, cjs: javascript, jsx: javascript },
  ...{ ts: typescript, tsx: typescript, json, jsonl: json, ipynb: json },
  ...{ py: python, pyi: python, sh: shell, bash: shell, zsh: shell, profile: shell, bashrc: shell },
  ...{ rs: rust, go, c, h: c, cc: cpp, cpp, hpp: cpp, cxx: cpp, java },
  ...{
    toml,
    yaml,
    yml: yaml,
    ini: properties,
    cfg: properties,
    conf: properties,
    env: properties,
    properties,
  },
  ...{ css, xml, svg: xml, html, htm: html, vue: html, svelte: html },
  ...{ sql, rb: ruby, lua, diff, patch: diff },
};

const BY_NAME: Record<string, Load> = {
  '.bashrc': shell,
  '.profile': shell,
  '.bash_logout': shell,
  '.env': properties,
  Dockerfile: docker,
  Containerfile: docker,
  Makefile: shell,
};

/** The language of a file by its name, each in a chunk of its own. */
export function languageOf(name: string): Load | undefined {
  const has = (table: Record<string, Load>, key: string) =>
    Object.hasOwn(table, key) ? table[key] : undefined;
  return has(BY_NAME, name) ?? has(BY_EXTENSION, extension(name));
}
