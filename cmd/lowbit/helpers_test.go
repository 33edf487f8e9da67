package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/safetensors"
)

// result is what a run of the tool leaves.
type result struct {
	status         int
	stdout, stderr string
}

// lowbit runs the tool. An implementation that it forces is forced for this test alone.
func lowbit(t *testing.T, args ...string) result {
	t.Helper()
	return lowbitUntil(t, context.Background(), args...)
}

func lowbitUntil(t *testing.T, ctx context.Context, args ...string) result {
	t.Helper()
	before := kernels.Implementation()
	t.Cleanup(func() { require.NoError(t, kernels.Use(before)) })
	var stdout, stderr bytes.Buffer
	status := run(ctx, args, &stdout, &stderr)
	return result{status, stdout.String(), stderr.String()}
}

// works runs the tool, which has to succeed without a word of complaint, and returns what it prints.
func works(t *testing.T, args ...string) string {
	t.Helper()
	r := lowbit(t, args...)
	require.Equal(t, exitOK, r.status, "lowbit %q: %s", args, r.stderr)
	require.Empty(t, r.stderr, "lowbit %q", args)
	return r.stdout
}

// fails runs the tool, which has to fail with that status, and with one line that has all of the words.
func fails(t *testing.T, status int, words []string, args ...string) {
	t.Helper()
	r := lowbit(t, args...)
	assert.Equal(t, status, r.status, "lowbit %q: %s", args, r.stderr)
	assert.Empty(t, r.stdout, "lowbit %q", args)
	assert.Equal(t, 1, strings.Count(r.stderr, "\n"), "lowbit %q: %s", args, r.stderr)
	assert.True(t, strings.HasPrefix(r.stderr, "lowbit: ") && strings.HasSuffix(r.stderr, "\n"), "lowbit %q: %s", args, r.stderr)
	for _, word := range words {
		assert.Contains(t, r.stderr, word, "lowbit %q", args)
	}
}

// tensor is a tensor of a test's file.
type tensor struct {
	name  string
	dtype safetensors.DType
	shape []int
	data  []byte
}

// of makes a tensor of numbers, which have the type's size.
func of[E any](name string, dtype safetensors.DType, shape []int, values ...E) tensor {
	data, err := binary.Append(nil, binary.LittleEndian, values)
	if err != nil {
		panic(err)
	}
	return tensor{name, dtype, shape, data}
}

// ramp makes an F32 tensor of different numbers on both sides of 0.
func ramp(name string, shape ...int) tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(i*7919%10007-5000) / 1000
	}
	return of(name, safetensors.F32, shape, values...)
}

// save writes a file, and returns its name.
func save(t *testing.T, path string, tensors ...tensor) string {
	t.Helper()
	return saveWith(t, path, nil, tensors...)
}

func saveWith(t *testing.T, path string, metadata map[string]string, tensors ...tensor) string {
	t.Helper()
	infos := make([]safetensors.Info, len(tensors))
	for i, x := range tensors {
		infos[i] = safetensors.Info{Name: x.name, DType: x.dtype, Shape: safetensors.ShapeOf(x.shape...)}
	}
	w, err := safetensors.Create(path, metadata, infos)
	require.NoError(t, err)
	for _, x := range tensors {
		require.NoError(t, w.WriteTensor(x.name, x.data, 0))
	}
	require.NoError(t, w.Commit())
	return path
}

// file is a file that was read back.
type file struct {
	metadata map[string]string
	names    []string
	tensors  map[string]tensor
}

func load(t *testing.T, path string) file {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	content := file{f.Metadata(), nil, make(map[string]tensor)}
	for _, info := range f.Tensors() {
		data, err := f.ReadAll(info.Name)
		require.NoError(t, err)
		content.names = append(content.names, info.Name)
		content.tensors[info.Name] = tensor{info.Name, info.DType, info.Shape.Dims(), data}
	}
	return content
}

// numbers are the elements of a tensor, as E, which has their size.
func numbers[E any](t *testing.T, x tensor) []E {
	t.Helper()
	values := make([]E, len(x.data)*8/x.dtype.Bits())
	_, err := binary.Decode(x.data, binary.LittleEndian, values)
	require.NoError(t, err)
	return values
}

// place is a name in a new directory.
func place(t *testing.T, name string) string { return filepath.Join(t.TempDir(), name) }

// entries are the names of what a directory has.
func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

const (
	int8Spec   = `{"dtype":"int8"}`
	int4Blocks = `{"dtype":"int4","granularity":{"type":"per_block","axis":-1,"block_size":4}}`
)
