package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Of two files neither appears before both are written in full, and OUT is the last; an error says what is in place.
func TestTwoFiles(t *testing.T) {
	begin := func(t *testing.T, path string, full bool) *safetensors.Writer {
		t.Helper()
		x := ramp("w", 4)
		w, err := safetensors.Create(path, nil, []safetensors.Info{{Name: x.name, DType: x.dtype, Shape: safetensors.ShapeOf(x.shape...)}})
		require.NoError(t, err)
		if full {
			require.NoError(t, w.WriteTensor(x.name, x.data, 0))
		}
		return w
	}
	for name, c := range map[string]struct {
		outFull, stateFull bool
		obstacle           string // a directory that is made where the file was to appear
		there, words       []string
	}{
		"both":           {true, true, "", []string{"out", "state"}, nil},
		"out is cut":     {false, true, "", nil, []string{"out", `"w"`, "0 bytes written"}},
		"state is cut":   {true, false, "", nil, []string{"state", `"w"`, "0 bytes written"}},
		"state's rename": {true, true, "state", []string{"state"}, []string{"state"}},
		"out's rename":   {true, true, "out", []string{"out", "state"}, []string{"out", "state is in place already"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var stdout, stderr bytes.Buffer
			tool := &tool{ctx: context.Background(), stdout: &output{w: &stdout}, stderr: newConsole(&stderr), workers: 1}
			out, state := begin(t, filepath.Join(dir, "out"), c.outFull), begin(t, filepath.Join(dir, "state"), c.stateFull)
			if c.obstacle != "" {
				require.NoError(t, os.MkdirAll(filepath.Join(dir, c.obstacle, "full"), 0o777))
			}
			err := tool.newStream("fakequant", 0, size(out.Tensors())).commit(new(files), out, state)
			require.NoError(t, out.Close())
			require.NoError(t, state.Close())
			assert.Equal(t, c.there, entries(t, dir))
			if c.words == nil {
				require.NoError(t, err)
				assert.Equal(t, 1, strings.Count(stdout.String(), "\n"))
				return
			}
			require.Error(t, err)
			for _, word := range c.words {
				assert.Contains(t, err.Error(), word)
			}
			if c.obstacle != "out" {
				assert.NotContains(t, err.Error(), "in place")
			}
			assert.Empty(t, stdout.String())
		})
	}
}

// The closing line does not go where the data went.
func TestClosingLinePlace(t *testing.T) {
	dir := t.TempDir()
	in := save(t, filepath.Join(dir, "in"), ramp("w", 4))
	for _, command := range [][]string{{"fakequant", "--spec", int8Spec}, {"quantize", "--spec", int8Spec}} {
		r := lowbit(t, append(command, "-o", os.DevNull, in)...)
		assert.Equal(t, exitOK, r.status)
		assert.Empty(t, r.stdout)
		assert.Regexp(t, `^`+command[0]+`: 16 bytes to \d+ in .* GB/s read and written\n$`, r.stderr)
	}
	path, link := filepath.Join(dir, "redirected"), filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(path, link)) // as /dev/stdout is one
	for _, out := range []string{path, link} {
		stdout, err := os.Create(path)
		require.NoError(t, err)
		var stderr bytes.Buffer
		assert.Equal(t, exitOK, run(context.Background(), []string{"quantize", "--spec", int8Spec, "-o", out, in}, stdout, &stderr))
		require.NoError(t, stdout.Close())
		assert.Contains(t, stderr.String(), "quantize: 16 bytes to ")
		assert.Contains(t, load(t, path).tensors, "w.scale")
	}
}

// A file without bytes has no speed.
func TestClosingLineOfNothing(t *testing.T) {
	dir := t.TempDir()
	in := save(t, filepath.Join(dir, "in"))
	r := lowbit(t, "quantize", "--spec", int8Spec, "-o", filepath.Join(dir, "out"), in)
	assert.Equal(t, exitOK, r.status)
	assert.Regexp(t, `^quantize: 0 bytes to 0 in \S+ s\n$`, r.stdout)
}

// A file without a name is said to be one.
func TestNoFileName(t *testing.T) {
	in := save(t, place(t, "in"), ramp("w", 4))
	fails(t, exitFailed, []string{"the name of the file to write is empty"}, "quantize", "--spec", int8Spec, "-o", "", in)
	fails(t, exitFailed, []string{"the name of a file to read is empty"}, "inspect", "")
}
