package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// commands are those that read a file and write one.
var commands = map[string][]string{
	"fakequant":  {"fakequant", "--spec", int8Spec},
	"quantize":   {"quantize", "--spec", int8Spec},
	"dequantize": {"dequantize"},
}

// headed is a file with that header and so many bytes of data.
func headed(header string, data int) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), make([]byte, data)...)
}

// A damaged file is one line and exit status 1 for every command, and nothing is left behind.
func TestDamagedFiles(t *testing.T) {
	for name, c := range map[string]struct {
		content []byte
		words   []string
	}{
		"empty":         {nil, []string{"empty"}},
		"short":         {[]byte{1, 2, 3}, []string{"too short"}},
		"cut header":    {headed(`{"w":{"dtype":"F32"`, 0)[:20], []string{"cut"}},
		"absurd length": {binary.LittleEndian.AppendUint64(nil, 1<<62), []string{"limit"}},
		"no JSON":       {headed("hello", 0), nil},
		"cut data":      {headed(`{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}`, 8), []string{`"w"`, "past"}},
		"negative":      {headed(`{"w":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}`, 16), []string{`"w"`}},
		"overflow":      {headed(`{"w":{"dtype":"F32","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,16]}}`, 16), []string{`"w"`, "overflow"}},
		"lie":           {headed(`{"w":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}`, 16), []string{`"w"`}},
		"unknown type":  {headed(`{"w":{"dtype":"F33","shape":[4],"data_offsets":[0,16]}}`, 16), []string{`"w"`, "F33"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			bad := filepath.Join(dir, "bad.safetensors")
			require.NoError(t, os.WriteFile(bad, c.content, 0o666))
			words := append([]string{bad}, c.words...)
			good := save(t, place(t, "good"), ramp("w", 4))
			for _, command := range commands {
				fails(t, exitFailed, words, append(command, "-o", filepath.Join(dir, "out"), bad)...)
			}
			fails(t, exitFailed, words, "fakequant", "--spec", int8Spec, "-o", filepath.Join(dir, "out"), "--grad", bad, good)
			fails(t, exitFailed, words, "fakequant", "--spec", int8Spec, "-o", filepath.Join(dir, "out"), "--state-in", bad, good)
			fails(t, exitFailed, words, "fakequant", "--spec", int8Spec, "-o", filepath.Join(dir, "out"), bad, good)
			fails(t, exitFailed, words, "inspect", bad)
			fails(t, exitFailed, words, "compare", bad, good)
			fails(t, exitFailed, words, "compare", good, bad)
			assert.Equal(t, []string{"bad.safetensors"}, entries(t, dir))
		})
	}
}

func TestMissingAndRefusedFiles(t *testing.T) {
	dir := t.TempDir()
	sharded := filepath.Join(dir, "model.safetensors.index.json")
	require.NoError(t, os.WriteFile(sharded, []byte(`{}`), 0o666))
	for path, words := range map[string][]string{
		filepath.Join(dir, "nowhere"): {"nowhere", "no such file"},
		dir:                           {dir, "weight_map"},
		sharded:                       {sharded, "weight_map"},
	} {
		for _, command := range commands {
			fails(t, exitFailed, words, append(command, "-o", filepath.Join(dir, "out"), path)...)
		}
		fails(t, exitFailed, words, "inspect", path)
		fails(t, exitFailed, words, "compare", path, path)
	}
	assert.Equal(t, []string{"model.safetensors.index.json"}, entries(t, dir))
}

func TestUnwritablePlaces(t *testing.T) {
	dir := t.TempDir()
	in := save(t, filepath.Join(dir, "in"), ramp("w", 4))
	codes := filepath.Join(dir, "codes")
	works(t, "quantize", "--spec", int8Spec, "-o", codes, in)
	input := map[string]string{"fakequant": in, "quantize": in, "dequantize": codes}
	for name, command := range commands {
		fails(t, exitFailed, []string{"missing/out", "no such file or directory"}, append(command, "-o", filepath.Join(dir, "missing", "out"), input[name])...)
		fails(t, exitFailed, []string{dir, "is a directory"}, append(command, "-o", dir, input[name])...)
	}
	fails(t, exitFailed, []string{"missing/state"}, "fakequant", "--spec", int8Spec, "--state-out", filepath.Join(dir, "missing", "state"), "-o", filepath.Join(dir, "out"), in)
	assert.Equal(t, []string{"codes", "in"}, entries(t, dir))
}

// A run that fails, or that the user interrupts, leaves OUT as it was.
func TestFailureLeavesOutput(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	require.NoError(t, os.WriteFile(out, []byte("before"), 0o600))
	in := save(t, filepath.Join(dir, "in"), ramp("w", 4))
	codes := filepath.Join(dir, "codes")
	works(t, "quantize", "--spec", int8Spec, "-o", codes, in)
	unchanged := func() {
		t.Helper()
		content, err := os.ReadFile(out)
		require.NoError(t, err)
		assert.Equal(t, "before", string(content))
		assert.Equal(t, []string{"codes", "in", "out"}, entries(t, dir))
	}

	fails(t, exitFailed, []string{`"w"`, "axis"}, "quantize", "--spec", `{"granularity":{"type":"per_channel","axis":1}}`, "-o", out, in)
	unchanged()

	interrupted, interrupt := context.WithCancel(context.Background())
	interrupt()
	input := map[string]string{"fakequant": in, "quantize": in, "dequantize": codes}
	for name, command := range commands {
		r := lowbitUntil(t, interrupted, append(command, "-o", out, input[name])...)
		assert.Equal(t, exitFailed, r.status)
		assert.Equal(t, "lowbit: interrupted\n", r.stderr)
		unchanged()
	}
	for _, command := range [][]string{{"demo"}, {"compare", in, in}, {"bench", "--n", "64", "--op", "^minmax$"}} {
		r := lowbitUntil(t, interrupted, command...)
		assert.Equal(t, exitFailed, r.status)
		assert.Equal(t, "lowbit: interrupted\n", r.stderr)
	}
}

// A file that is damaged within the parameters' values is found out when the work is under way.
func TestDamagedParameters(t *testing.T) {
	dir := t.TempDir()
	codes := filepath.Join(dir, "codes")
	works(t, "quantize", "--spec", `{"dtype":"int4","qscheme":"asymmetric"}`, "-o", codes, save(t, filepath.Join(dir, "in"), ramp("w", 4)))
	content := load(t, codes)
	for name, c := range map[string]struct {
		change tensor
		words  []string
	}{
		"zero point": {of("w.zero_point", content.tensors["w.zero_point"].dtype, []int{1}, int8(8)), []string{"ZeroPoint", "8"}},
	} {
		var tensors []tensor
		for _, n := range content.names {
			if n == c.change.name {
				tensors = append(tensors, c.change)
			} else {
				tensors = append(tensors, content.tensors[n])
			}
		}
		bad := saveWith(t, filepath.Join(dir, "bad"), content.metadata, tensors...)
		fails(t, exitFailed, append(c.words, bad, `"w"`), "dequantize", "-o", filepath.Join(dir, "out"), bad)
		assert.Equal(t, []string{"bad", "codes", "in"}, entries(t, dir), name)
	}
}

// OUT may be an IN, and any other file that is read.
func TestOutputIsInput(t *testing.T) {
	dir := t.TempDir()
	tensors := []tensor{ramp("v", 8, 4), ramp("w", 64)}
	in, grad, out := save(t, filepath.Join(dir, "in"), tensors...), save(t, filepath.Join(dir, "grad"), tensors...), filepath.Join(dir, "out")
	for name, args := range map[string][]string{
		"fakequant": {"fakequant", "--spec", int8Spec, "--grad", grad, in, in},
		"quantize":  {"quantize", "--spec", int8Spec, in},
	} {
		t.Run(name, func(t *testing.T) {
			works(t, append(args, "-o", out)...)
			want := load(t, out)
			same := filepath.Join(dir, "same")
			save(t, same, tensors...)
			for i, a := range args {
				if a == in {
					args[i] = same
				}
			}
			works(t, append(args, "-o", same)...)
			assert.Equal(t, want, load(t, same))
		})
	}
	works(t, "quantize", "--spec", int8Spec, "-o", in, in)
	works(t, "dequantize", "-o", in, in)
	works(t, "fakequant", "--spec", int8Spec, "--mask", "none", "-o", grad, "--grad", grad, grad)
	assert.Equal(t, load(t, in).tensors["w"], load(t, grad).tensors["w"])
}

// Memory holds pieces, not the file.
func TestMemory(t *testing.T) {
	var tensors []tensor
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"} {
		tensors = append(tensors, ramp(name, 512, 1024))
	}
	in := save(t, place(t, "in"), tensors...)
	size := uint64(16 * 512 * 1024 * 4)
	tensors = nil
	codes, out := place(t, "codes"), place(t, "out")
	for _, args := range [][]string{
		{"quantize", "--spec", int8Spec, "-o", codes, in},
		{"dequantize", "-o", out, codes},
		{"fakequant", "--spec", int8Spec, "-o", out, in},
		{"fakequant", "--spec", int8Spec, "--include", "^a$", "-o", out, in},
		{"compare", in, in},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		works(t, args...)
		runtime.ReadMemStats(&after)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, size/2, "%q", args)
	}
}

// A tensor of absurd rank, whose shape as numbers takes more memory than the header, is listed, copied or refused.
func TestAbsurdRank(t *testing.T) {
	const axes = 1 << 20
	header := `{"w.weight":{"dtype":"F32","shape":[` + strings.Repeat("1,", axes-1) + `1],"data_offsets":[0,4]}}`
	in := place(t, "in")
	require.NoError(t, os.WriteFile(in, append(headed(header, 0), 0, 0, 128, 63), 0o666))
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"inspect", in}, "w.weight"},
		{[]string{"inspect", "--json", in}, "w.weight"},
		{[]string{"compare", in, in}, "w.weight"},
		{[]string{"quantize", "--preset", "int8", "-o", place(t, "out"), in}, "no tensor is selected"},
		{[]string{"quantize", "--preset", "fp8-dynamic", "-o", place(t, "out"), in}, "no tensor is selected"},
		{[]string{"quantize", "--spec", int8Spec, "-o", place(t, "out"), in}, "has 1048576 axes, want at most 1024"},
		{[]string{"dequantize", "-o", place(t, "out"), in}, ""},
		{[]string{"fakequant", "--spec", int8Spec, "-o", place(t, "out"), in}, "has 1048576 axes, want at most 1024"},
		{[]string{"calibrate", "--spec", int8Spec, "-o", place(t, "out"), in}, "has 1048576 axes, want at most 1024"},
		{[]string{"calibrate", "--importance", "-o", place(t, "out"), in}, "has 1048576 axes, want at most 1024"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := lowbit(t, c.args...)
		runtime.ReadMemStats(&after)
		assert.Contains(t, r.stdout+r.stderr, c.says, "%q", c.args)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(6*len(header)), "%q", c.args) // the numbers alone would take 4 times the header
	}
}

// A tensor that memory cannot hold is worked on all the same, until the user interrupts. The file is sparse.
func TestHuge(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("a tensor has no more elements than an int can count")
	}
	const elements = int64(1) << 40
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge")
	header := fmt.Sprintf(`{"w":{"dtype":"F32","shape":[1024,%d],"data_offsets":[0,%d]}}`, elements/1024, 4*elements)
	require.NoError(t, os.WriteFile(huge, headed(header, 0), 0o666))
	if err := os.Truncate(huge, int64(8+len(header))+4*elements); err != nil {
		t.Skip("the file system has no files of that size")
	}
	assert.Contains(t, works(t, "inspect", huge), "data 4.4 TB")
	for _, command := range [][]string{
		commands["fakequant"], commands["quantize"], {"quantize", "--spec", `{"dtype":"float4_e2m1fn","granularity":{"type":"per_block","axis":1,"block_size":32}}`},
		{"quantize", "--spec", int8Spec, "--exclude", "w"},
	} {
		later := &whenAsked{Context: context.Background(), n: 10, do: func() error { return context.Canceled }}
		r := lowbitUntil(t, later, append(command, "--workers", "2", "-o", filepath.Join(dir, "out"), huge)...)
		assert.True(t, strings.HasSuffix(r.stderr, "lowbit: interrupted\n"), r.stderr)
		assert.Equal(t, exitFailed, r.status)
		assert.Equal(t, []string{"huge"}, entries(t, dir))
	}
}
