package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// A report is one page that asks for nothing, with a row for each tensor, a line for each kind of tensor, and the errors of the worst.
func TestReport(t *testing.T) {
	dir := t.TempDir()
	var tensors []tensor
	for layer := range 12 {
		for _, kind := range []string{"up", "down"} {
			tensors = append(tensors, ramp(fmt.Sprintf("layers.%d.%s.weight", layer, kind), 4, 32))
		}
	}
	tensors = append(tensors, ramp("<script>alert(1)</script>\x1b.norm", 8))
	a := save(t, filepath.Join(dir, "a"), tensors...)
	b, page := filepath.Join(dir, "b"), filepath.Join(dir, "r.html")
	works(t, "quantize", "--preset", "int4-g32", "--report", page, "-o", b, a)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	html := string(text)

	assert.Equal(t, len(tensors), strings.Count(html, "<tr><td"))
	assert.Equal(t, 2, strings.Count(html, "<polyline"))
	assert.Equal(t, 24, strings.Count(html, "<circle"))
	assert.Equal(t, errorsShown, strings.Count(html, "<figure>"))
	assert.Contains(t, html, "layers.*.up</li>")
	assert.Contains(t, html, "24 of 25 tensors differ")
	assert.Contains(t, html, "<figcaption>layers.<wbr>")
	assert.NotContains(t, html, "<script>alert")
	assert.NotContains(t, html, "\x1b")
	assert.NotRegexp(t, `(?i)(src|href)=|url\(|https?:|@import`, html)
	for _, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(html, -1) {
		assert.NoError(t, xml.Unmarshal([]byte(svg), new(struct{})), svg)
		assert.NotContains(t, svg, "NaN")
	}

	again := filepath.Join(dir, "again.html")
	r := lowbit(t, "compare", "--report", again, a, b)
	assert.Equal(t, exitFailed, r.status)
	assert.Empty(t, r.stderr)
	same, err := os.ReadFile(again)
	require.NoError(t, err)
	assert.Equal(t, html, string(same), "whoever writes it")

	fails(t, exitUsage, []string{"--report", "another file"}, "compare", "--report", a, a, b)
	fails(t, exitUsage, []string{"--report", "another file"}, "quantize", "--preset", "int8", "--report", a, "-o", b, a)
	assert.ElementsMatch(t, []string{"a", "b", "r.html", "again.html"}, entries(t, dir))
	r = lowbit(t, "compare", "--report", filepath.Join(dir, "no", "r.html"), a, b)
	assert.Contains(t, r.stderr, "no such file or directory")

	// What cannot be written is known before the work; a folder that is to come can have it.
	out := filepath.Join(dir, "out")
	fails(t, exitFailed, []string{"r.html", "no such file or directory"}, "quantize", "--preset", "int8", "--report", filepath.Join(dir, "no", "r.html"), "-o", out, a)
	assert.NoFileExists(t, out)
	works(t, "quantize", "--preset", "w8a8", "--report", filepath.Join(out, "r.html"), "-o", out, a)
	assert.ElementsMatch(t, []string{"a.safetensors", "config.json", "r.html"}, entries(t, out))
}

// What cannot be plotted is left out: tensors of one side only, of other shapes, equal ones, and those that are not finite.
func TestReportOfOddTensors(t *testing.T) {
	dir := t.TempDir()
	inf := of("layers.0.w", safetensors.F32, []int{2}, float32(1), float32(1)/zero)
	a := save(t, filepath.Join(dir, "a"), inf, ramp("only", 2), ramp("shape", 2), ramp("equal", 3))
	b := save(t, filepath.Join(dir, "b"), of("layers.0.w", safetensors.F32, []int{2}, float32(2), float32(0)), ramp("shape", 3), ramp("equal", 3))
	page := filepath.Join(dir, "r.html")
	assert.Equal(t, exitFailed, lowbit(t, "compare", "--report", page, a, b).status)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, 4, strings.Count(string(text), "<tr><td"))
	assert.Equal(t, 1, strings.Count(string(text), "<figure>"))
	assert.NotContains(t, string(text), "NaN\"")
}

// zero is no constant.
var zero float32

// Errors are counted in bins of one width, whatever pieces they come in.
func TestErrorCounts(t *testing.T) {
	a := []float64{0, 3, -3, 0.5, 1, 8}
	whole := countErrors(a, 8)
	assert.Equal(t, 4, whole.exponent)
	assert.Equal(t, map[int]int{32: 1, 38: 1, 26: 1, 33: 1, 34: 1, 48: 1}, filled(whole))
	parts := countErrors(a[:1], 0)
	parts.add(countErrors(a[1:3], 3))
	parts.add(countErrors(a[3:5], 1))
	parts.add(countErrors(a[5:], 8))
	assert.Equal(t, whole, parts)
	assert.Equal(t, 1, filled(countErrors([]float64{5e-324}, 5e-324))[32])
}

// Errors that are counted part by part come to what they come to at once, whatever the parts: zeros first, and then ever larger ones.
func TestErrorCounter(t *testing.T) {
	var all []float64
	for i := range 3000 {
		all = append(all, float64(i%7-3)*math.Ldexp(float64(max(i, 900)-900), i/200))
	}
	for _, part := range []int{1, 3, 100, 1024, len(all)} {
		var c errorCounter
		worst := 0.
		for at := 0; at < len(all); at += part {
			some := all[at:min(at+part, len(all))]
			for _, e := range some {
				worst = max(worst, math.Abs(e))
			}
			c.count(some, worst)
		}
		assert.Equal(t, countErrors(all, worst), c.counts(), part)
	}
}

func filled(e *errorCounts) map[int]int {
	all := map[int]int{}
	for i, n := range e.counts {
		if n > 0 {
			all[i] = n
		}
	}
	return all
}

// A report of a recipe whose rules have scales of whole tensors and none: what one rule leaves is not the next one's.
func TestReportOfRecipe(t *testing.T) {
	in := save(t, place(t, "in"), ramp("a.weight", 4, 32), ramp("b.weight", 4, 32), ramp("c.weight", 4, 32))
	recipe, report := place(t, "recipe.json"), place(t, "report.html")
	require.NoError(t, os.WriteFile(recipe, []byte(`[{"match":"a","preset":"nvfp4"},{"match":"b","preset":"int8"},{"match":"c","preset":"mxfp8"}]`), 0o666))
	works(t, "quantize", "--recipe", recipe, "--report", report, "--workers", "1", "-o", place(t, "out"), in)
	require.FileExists(t, report)
}
