package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// The files of many passes are not all open at a time.
func TestManyFiles(t *testing.T) {
	defer func(was int) { mostOpen = was }(mostOpen)
	dir := t.TempDir()
	var inputs []string
	for i := range 6 {
		inputs = append(inputs, save(t, filepath.Join(dir, fmt.Sprint(i)), of("x", safetensors.F32, []int{2}, float32(i), -float32(i*i))))
	}
	spec := `{"qparam_calculator_cls":"global_minmax"}`
	out := filepath.Join(dir, "out")
	works(t, append([]string{"fakequant", "--spec", spec, "-o", out}, inputs...)...)
	want := load(t, out)
	mostOpen = 2
	works(t, append([]string{"fakequant", "--spec", spec, "-o", out}, inputs...)...)
	assert.Equal(t, want, load(t, out))
}

// A state that would be written to OUT, be it by a link that leads nowhere yet, is refused.
func TestStateBehindALink(t *testing.T) {
	dir := t.TempDir()
	in, out, link := save(t, filepath.Join(dir, "in"), ramp("w", 4)), filepath.Join(dir, "out"), filepath.Join(dir, "link")
	if err := os.Symlink("out", link); err != nil {
		t.Skip("no links")
	}
	fails(t, exitUsage, []string{"--state-out", "another file than OUT"}, "fakequant", "--spec", int8Spec, "--state-out", link, "-o", out, in)
	fails(t, exitUsage, []string{"--state-out", "another file than OUT"}, "fakequant", "--spec", int8Spec, "--state-out", out, "-o", link, in)
}

// What comes from a file, however long, makes no line of more than 200 columns, and takes memory in proportion to the file.
func TestLongLines(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	var header strings.Builder
	fmt.Fprintf(&header, `{"__metadata__":{"%s":"%s"},`, strings.Repeat("k", 500), strings.Repeat("v", 500))
	fmt.Fprintf(&header, `"%s\u001b[31m":{"dtype":"F32","shape":[%s1],"data_offsets":[0,4]}`, strings.Repeat("n", 1e6), strings.Repeat("1,", 1e6))
	const small = 5000
	for i := range small {
		fmt.Fprintf(&header, `,"%d":{"dtype":"U8","shape":[64],"data_offsets":[%d,%d]}`, i, 4+64*i, 68+64*i)
	}
	header.WriteString("}")
	require.NoError(t, os.WriteFile(in, headed(header.String(), 4+64*small), 0o666))
	for _, args := range [][]string{{"inspect", in}, {"compare", in, in}, {"quantize", "--dry-run", "--preset", "int8", "--include", "^0", in}} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		r := lowbit(t, args...)
		runtime.ReadMemStats(&after)
		assert.Equal(t, exitOK, r.status, r.stderr)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(128<<20), args)
		lines := 0
		for line := range strings.Lines(r.stdout) {
			lines++
			assert.LessOrEqual(t, utf8.RuneCountInString(line), 201)
			assert.NotContains(t, line, "\x1b")
		}
		assert.Greater(t, lines, small)
	}
	fails(t, exitFailed, []string{"axes", "--exclude"}, "quantize", "--spec", int8Spec, "-o", filepath.Join(dir, "out"), in)
	for line := range strings.Lines(lowbit(t, "quantize", "--spec", int8Spec, "-o", filepath.Join(dir, "out"), in).stderr) {
		assert.Less(t, len(line), 1000)
	}
}
