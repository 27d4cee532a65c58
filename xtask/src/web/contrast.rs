//! The contrast of the dashboard's colours, by the formula of WCAG 2.2, from the tokens in `app.css`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

const SURFACES: &[&str] = &[
    "canvas", "surface", "raised", "overlay", "hover", "selected",
];
/// Text on each surface.
const TEXT: &[&str] = &["ink", "ink-2", "ink-3", "ok", "warn", "bad", "info"];
/// Graphics and borders of controls on each surface.
const GRAPHICS: &[&str] = &["control", "accent", "focus"];
/// Text on one background of its own.
const PAIRS: &[(&str, &str)] = &[
    ("on-accent", "accent"),
    ("ok", "ok-bg"),
    ("warn", "warn-bg"),
    ("bad", "bad-bg"),
    ("info", "info-bg"),
    ("canvas", "bad"),
];
const TERMINAL: &[&str] = &[
    "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
];
const SERIES: &[&str] = &["series-running", "series-cpu", "series-ram"];
const TEXT_MIN: f64 = 4.5;
const GRAPHICS_MIN: f64 = 3.0;

/// Fails with every pair of colours that is too alike.
pub(super) fn check(css: &Path) -> Result<()> {
    let text = fs::read_to_string(css).with_context(|| format!("read {}", css.display()))?;
    let dark = tokens(&text, ":root {")?;
    let mut light = dark.clone();
    light.extend(tokens(&text, ":root[data-theme='light'] {")?);
    let mut problems = Vec::new();
    for (theme, colours) in [("dark", dark), ("light", light)] {
        for (fore, back, min) in pairs() {
            let (Some(one), Some(other)) = (colours.get(&fore), colours.get(&back)) else {
                bail!("app.css has no colour --{fore} or --{back} in the {theme} theme");
            };
            let ratio = ratio(*one, *other);
            if ratio < min {
                problems.push(format!(
                    "{theme}: --{fore} on --{back} is {ratio:.2}, not {min}"
                ));
            }
        }
    }
    if !problems.is_empty() {
        bail!("colours are too alike: {}", problems.join("; "));
    }
    Ok(())
}

fn pairs() -> Vec<(String, String, f64)> {
    let mut pairs = Vec::new();
    for surface in SURFACES {
        for (names, min) in [(TEXT, TEXT_MIN), (GRAPHICS, GRAPHICS_MIN)] {
            let all = names.iter();
            pairs.extend(all.map(|name| ((*name).to_owned(), (*surface).to_owned(), min)));
        }
    }
    let own = PAIRS.iter();
    pairs.extend(own.map(|(fore, back)| ((*fore).to_owned(), (*back).to_owned(), TEXT_MIN)));
    let ansi = TERMINAL.iter();
    pairs.extend(ansi.map(|name| (format!("ansi-{name}"), "canvas".to_owned(), TEXT_MIN)));
    let series = SERIES.iter();
    pairs.extend(series.map(|name| ((*name).to_owned(), "surface".to_owned(), GRAPHICS_MIN)));
    pairs
}

/// The colours of one block of the style sheet.
fn tokens(css: &str, block: &str) -> Result<BTreeMap<String, [u8; 3]>> {
    let (_, rest) = css
        .split_once(block)
        .with_context(|| format!("app.css has no block `{block}`"))?;
    let (block, _) = rest.split_once('}').unwrap_or((rest, ""));
    let lines = block.lines().filter_map(|line| {
        let (name, value) = line.trim().strip_prefix("--")?.split_once(": ")?;
        Some((name.to_owned(), colour(value.trim_end_matches(';'))?))
    });
    Ok(lines.collect())
}

fn colour(value: &str) -> Option<[u8; 3]> {
    let digits = value.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    let number = u32::from_str_radix(digits, 16).ok()?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some([red, green, blue])
}

fn luminance(colour: [u8; 3]) -> f64 {
    let [red, green, blue] = colour.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 {
            part / 12.92
        } else {
            ((part + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

fn ratio(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_that_of_the_standard() {
        assert!((ratio([0; 3], [255; 3]) - 21.0).abs() < 0.001);
        assert!((ratio([0x77; 3], [255; 3]) - 4.48).abs() < 0.01);
    }

    #[test]
    fn colours_are_read_from_their_block() {
        let css = ":root {\n  --ink: #eceae4;\n  --row: 2rem;\n}\n:root[data-theme='light'] {\n  --ink: #000000;\n}\n";
        let dark = tokens(css, ":root {").unwrap();
        assert_eq!(
            dark,
            BTreeMap::from([("ink".to_owned(), [0xec, 0xea, 0xe4])])
        );
        let light = tokens(css, ":root[data-theme='light'] {").unwrap();
        assert_eq!(light["ink"], [0; 3]);
    }
}
