package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The page about formats has the figures that the tool has.
func TestFormatsPage(t *testing.T) {
	if testing.Short() {
		t.Skip("the bits, and so the figures, are the same on every machine")
	}
	page, err := os.ReadFile("../../docs/formats.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\| `(\\S+)` \\| (\\S+) \\| (\\S+) \\| (\\S+) \\| ([^|]+) \\|").FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, rows)
	presets := works(t, "presets")
	dir := t.TempDir()
	sqnr := regexp.MustCompile(`SQNR of what differs</dt><dd>([\d.]+) dB`)
	for _, row := range rows {
		preset, to, bits, noise, readers := row[1], row[2], row[3], row[4], row[5]
		assert.Regexp(t, `(?m)^`+regexp.QuoteMeta(preset)+` +`+regexp.QuoteMeta(to)+` +`+regexp.QuoteMeta(bits)+` +`+regexp.QuoteMeta(readers), presets, preset)
		report := filepath.Join(dir, preset+".html")
		works(t, "quantize", "--preset", preset, "--report", report, "-o", filepath.Join(dir, preset), "../../internal/demo/minilm-layer0.safetensors")
		html, err := os.ReadFile(report)
		require.NoError(t, err)
		found := sqnr.FindSubmatch(html)
		require.NotNil(t, found, preset)
		assert.Equal(t, noise, string(found[1]), preset)
	}
}
