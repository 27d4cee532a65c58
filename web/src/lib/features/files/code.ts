/** CodeMirror as a view. A chunk of its own, loaded with the first text. */
import { HighlightStyle, StreamLanguage, syntaxHighlighting } from '@codemirror/language';
import { EditorState, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightSpecialChars, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { languageOf } from './languages.ts';

const colours = HighlightStyle.define([
  { tag: [tags.comment, tags.meta], color: 'var(--ansi-black)', fontStyle: 'italic' },
  { tag: [tags.keyword, tags.operatorKeyword, tags.tagName], color: 'var(--ansi-magenta)' },
  { tag: [tags.string, tags.regexp, tags.inserted], color: 'var(--ansi-green)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.unit], color: 'var(--ansi-yellow)' },
  {
    tag: [tags.typeName, tags.className, tags.namespace, tags.standard(tags.variableName)],
    color: 'var(--ansi-cyan)',
  },
  {
    tag: [tags.definition(tags.variableName), tags.propertyName, tags.attributeName, tags.heading, tags.link],
    color: 'var(--ansi-blue)',
  },
  { tag: [tags.invalid, tags.deleted], color: 'var(--ansi-red)' },
]);

const look = EditorView.theme({
  '&': { height: '100%', color: 'var(--ink)', backgroundColor: 'transparent' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': {
    fontFamily: 'var(--font-mono)',
    fontSize: '0.8125rem',
    lineHeight: '1.25rem',
    fontVariantLigatures: 'none',
  },
  '.cm-gutters': { backgroundColor: 'transparent', color: 'var(--ink-3)', border: 'none' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 12px 0 12px', minWidth: '3.25rem' },
  '.cm-content': { padding: '8px 0' },
  '.cm-selectionBackground, &.cm-focused .cm-selectionBackground': {
    backgroundColor: 'color-mix(in srgb, var(--info) 35%, transparent) !important',
  },
  '.cm-specialChar': { color: 'var(--bad)' },
});

export async function openCode(
  host: HTMLElement,
  { text, name, highlight }: { text: string; name: string; highlight: boolean },
): Promise<EditorView> {
  const language: Extension[] = [];
  if (highlight) {
    const parser = await languageOf(name)?.();
    if (parser) language.push(StreamLanguage.define(parser), syntaxHighlighting(colours));
  }
  return new EditorView({
    parent: host,
    state: EditorState.create({
      doc: text,
      extensions: [
        EditorState.readOnly.of(true),
        EditorView.editable.of(false),
        EditorView.contentAttributes.of({
          tabindex: '0',
          'aria-label': 'Text of the file',
          'aria-readonly': 'true',
        }),
        // Characters that turn the direction of text are shown, not obeyed.
        highlightSpecialChars({ addSpecialChars: /[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu }),
        EditorView.perLineTextDirection.of(false),
        drawSelection(),
        lineNumbers(),
        look,
        ...language,
      ],
    }),
  });
}
