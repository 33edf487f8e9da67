package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/safetensors"
)

// Files that are something else are said to be that.
func TestOtherFiles(t *testing.T) {
	for _, c := range []struct{ content, word string }{
		{"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n", "Git LFS pointer"},
		{"<!DOCTYPE html>\n<html><head><title>404</title></head></html>\n", "HTML"},
		{"PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00\x00\x00archive/data.pkl", "pickle"},
		{"\x80\x02}q\x00X\x06\x00\x00\x00weightq\x01.", "pickle"},
		{"root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n", "not a safetensors file"},
	} {
		path := place(t, "model.safetensors")
		require.NoError(t, os.WriteFile(path, []byte(c.content), 0o666))
		fails(t, exitFailed, []string{"model.safetensors", c.word}, "inspect", path)
		fails(t, exitFailed, []string{"model.safetensors", c.word}, "quantize", "--preset", "int8", "-o", place(t, "out"), path)
	}
}

// Numbers of elements that no machine has are refused before anything is measured.
func TestBenchSizes(t *testing.T) {
	for _, n := range []string{"9223372036854775807", "1152921504606846976", "100000000000", "-1", "0"} {
		fails(t, exitUsage, []string{"--n", n}, "bench", "--op", "minmax", "--n="+n)
	}
}

// What a file's name or a tensor's would do to a terminal is escaped, in errors and in warnings.
func TestControlCharacters(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a\x1b[31mb")
	require.NoError(t, os.Mkdir(dir, 0o777))
	name := "w\x1b]0;title\x07"
	in := save(t, filepath.Join(dir, "in.safetensors"), of(name, safetensors.F32, []int{3}, 1, 2, float32(3)))
	r := lowbit(t, "quantize", "--spec", int4Blocks, "-o", place(t, "out"), in) // blocks that do not divide: a warning
	assert.NotEmpty(t, r.stderr)
	for _, args := range [][]string{
		{"inspect", in}, {"inspect", "--json", in}, {"compare", in, in}, {"inspect", in + ".gone"},
		{"quantize", "--spec", int8Spec, "--include", "nothing", "-o", place(t, "out"), in},
	} {
		r := lowbit(t, args...)
		assert.NotContains(t, r.stdout+r.stderr, "\x1b", args)
	}
	assert.NotContains(t, r.stdout+r.stderr, "\x1b")
}
