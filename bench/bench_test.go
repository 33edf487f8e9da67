package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lowbit-go/lowbit/kernels"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// BenchmarkOps is the table for go test: go test -bench 'Ops/^quantize$/^int8$' ./bench
func BenchmarkOps(b *testing.B) {
	before := kernels.Implementation()
	b.Cleanup(func() { require.NoError(b, kernels.Use(before)) })
	var memory arena
	for _, op := range Ops(nil) {
		for _, impl := range op.Impls(kernels.Implementations()) {
			for _, n := range []int{4096, 65536} {
				b.Run(fmt.Sprintf("%s/%s/n=%d", op.Name, impl, n), func(b *testing.B) {
					require.NoError(b, kernels.Use(impl))
					memory.reset()
					w := op.begin(&memory, op.Elements(n))
					w.run()
					b.SetBytes(int64(w.read + w.written))
					b.ReportAllocs()
					for b.Loop() {
						w.run()
					}
				})
			}
		}
	}
}

// TestCalibrate: work that takes long once, as what touches new memory does, is done many times in a round.
func TestCalibrate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes := 2 * soloRound
		r := rounds{runs: []func(){func() {
			time.Sleep(takes)
			takes = soloRound / 4
		}}}
		r.calibrate(time.Second)
		require.Equal(t, 4, r.times)
	})
}

func names(ops []Op) (names []string) {
	for _, op := range ops {
		names = append(names, op.Name)
	}
	return names
}

func TestNames(t *testing.T) {
	table := names(Ops(nil))
	for _, format := range []string{"int8", "int4", "e4m3", "e5m2", "e2m1"} {
		for _, group := range []string{"", "/block32"} {
			for _, mask := range []string{"bytemask", "bitmask", "nomask"} {
				assert.Contains(t, table, "fakequantize/"+format+"/"+mask+group)
			}
			assert.Contains(t, table, "quantize/"+format+group)
			assert.Contains(t, table, "dequantize/"+format+group)
		}
	}
	for _, name := range []string{
		"quantize/int4packed", "dequantize/int4packed", "quantize/e2m1packed", "dequantize/e2m1packed", "quantize/uint4packed", "dequantize/int2packed",
		"quantize/uint2packed/block32", "pack/int4", "unpack/int4", "pack/int2", "unpack/int2",
		"minmax", "backward/bytemask", "backward/bitmask", "encode/f16", "decode/f16", "encode/bf16", "decode/bf16", "encode/e4m3", "decode/e4m3",
		"encode/e5m2", "decode/e5m2", "encode/e2m1", "decode/e2m1", "encode/e8m0", "decode/e8m0",
		"dynamic/int8/block32", "dynamic/uint8asym/block32", "dynamic/int4packed/block32", "dynamic/uint4packed/block32", "dynamic/mxfp8/block32", "dynamic/mxfp4/block32",
		"dynamic/mxfp4/block32/rceil", "dynamic/mxfp6/block32", "dynamic/nvfp4/block16",
		"quantize/q8_0", "dequantize/q8_0", "quantize/q4_1", "dequantize/q4_k", "quantize/nvfp4", "dequantize/iq4_xs",
	} {
		assert.Contains(t, table, name)
	}
	slices.Sort(table)
	assert.Equal(t, slices.Compact(slices.Clone(table)), table, "no name twice")
}

func TestMatch(t *testing.T) {
	for expression, want := range map[string][]string{
		"^quantize/int8$":                          {"quantize/int8"},
		"^quantize/int8/block100$":                 {"quantize/int8/block100"},
		"^quantize/int8/block(33|100|32)$":         {"quantize/int8/block32", "quantize/int8/block33", "quantize/int8/block100"},
		"^quantize/int8/block(?:33)$":              {"quantize/int8/block33"},
		"^fakequantize/int4/bitmask/lanes$":        {"fakequantize/int4/bitmask/lanes"},
		"^dequantize/e5m2/(f16|bf16)$":             {"dequantize/e5m2/f16", "dequantize/e5m2/bf16"},
		"^quantize/int8/block64/bf16$":             {"quantize/int8/block64/bf16"},
		"^quantize/int8/block0$":                   nil,
		"^quantize/int8/block99999999999999999999": nil,
		"quantize/q4_k":                            {"dequantize/q4_k", "quantize/q4_k", "quantize/q4_k/imatrix"},
		"^quantize/q[45]_0":                        {"quantize/q4_0", "quantize/q5_0"},
		"^quantize/q4_0/imatrix$":                  {"quantize/q4_0/imatrix"},
		"^(search|histogram|stochastic)/":          {"search/int4/block32", "histogram/bf16", "stochastic/int8"},
		"^small/":                                  {"small/quantize/int8", "small/dequantize/int8", "small/minmax", "small/encode/f16", "small/quant/quantize/int8"},
		"no such operation":                        nil,
	} {
		assert.Equal(t, want, names(Ops(regexp.MustCompile(expression))), expression)
	}
	assert.Equal(t, names(Ops(nil)), names(Ops(regexp.MustCompile("."))))
}

func TestElements(t *testing.T) {
	for name, want := range map[string]int{"quantize/int8": 1000, "quantize/int8/block32": 992, "quantize/int8/block2000": 0, "quantize/int8/lanes": 1000} {
		op := Ops(regexp.MustCompile("^" + name + "$"))[0]
		assert.Equal(t, want, op.Elements(1000), name)
	}
	lanes := Ops(regexp.MustCompile("^quantize/int8/lanes$"))[0]
	assert.Equal(t, 2048, lanes.Elements(3000))
}

// Every operation runs with every implementation, and gives results for those that have a group.
func TestRun(t *testing.T) {
	ops := slices.Concat(Ops(nil), Ops(regexp.MustCompile("(lanes|block33)$")), Ops(regexp.MustCompile("^(fake)?(de)?quantize/.*(block33|lanes)?/b?f16")),
		Ops(regexp.MustCompile("^(search|histogram|stochastic|small)/")))
	c := Config{Ops: ops, Impls: kernels.Implementations(), Sizes: []int{1, 100, 2500}, Workers: 2, MinTime: time.Nanosecond}
	done := 0
	c.Done = func(Result) { done++ }
	before := kernels.Implementation()
	results, err := Run(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, before, kernels.Implementation())
	assert.Equal(t, c.Count(), len(results))
	assert.Equal(t, c.Count(), done)
	for _, r := range results {
		assert.Positive(t, r.NsPerElement, "%+v", r)
		assert.Positive(t, r.GBPerS, "%+v", r)
		assert.Positive(t, r.CopyRatio, "%+v", r)
	}
}

func TestRunErrors(t *testing.T) {
	c := Config{Ops: Ops(regexp.MustCompile("^minmax$")), Impls: []string{"mmx"}, Sizes: []int{64}, Workers: 1, MinTime: time.Nanosecond}
	_, err := Run(context.Background(), c)
	assert.ErrorContains(t, err, "mmx")
	c.Impls = []string{"generic"}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = Run(ctx, c)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(Result{"quantize/int8", "generic", 64, 1.5, 3.25, 2})
	require.NoError(t, err)
	assert.Equal(t, `{"op":"quantize/int8","impl":"generic","n":64,"ns_per_element":1.5,"gb_per_s":3.25,"copy_ratio":2}`, string(text))
}

// Copies read and write as many bytes as is said: the whole of the destination is written, and what follows it is not.
func TestCopies(t *testing.T) {
	const guard = 4096
	for _, size := range [][2]int{
		{4096, 4096}, {4096, 1024}, {1024, 4096}, {40000, 50000}, {50001, 40001}, {100, 0}, {0, 100}, {1, 0}, {70000, 280001}, {64, 64 * 99},
		{1 << 18, 5 << 16}, {1 << 18, 1<<18 + 1<<13}, {1 << 18, 1 << 15}, {1 << 20, 0}, {16 << 10, 1 << 18},
	} {
		src, buffer := alloc[byte](new(arena), size[0]), alloc[byte](new(arena), size[1]+guard)
		for i := range src {
			src[i] = byte(1 + i>>6%255) // each line its own
		}
		cached := bytes.Repeat([]byte{1}, copyPiece)
		check := func(way func(), what string) {
			clear(buffer)
			way()
			assert.Equal(t, -1, bytes.IndexByte(buffer[:size[1]], 0), "%v %s: not written", size, what)
			assert.Equal(t, make([]byte, guard), buffer[size[1]:], "%v %s: written behind the end", size, what)
		}
		for _, loop := range loops() {
			check(loop.way(buffer[:size[1]], src, cached), fmt.Sprint(loop))
		}
		fill(src, 1)
		for i, way := range runtimeCopies(buffer[:size[1]], src, cached) {
			if i < 2 { // the others clear
				check(way, "runtime")
			} else {
				assert.NotPanics(t, way)
			}
		}
		assert.NotEmpty(t, copies(new(arena), size[0], size[1]))
	}
}

// A step reads and writes what the table says: one more would show.
func TestMixes(t *testing.T) {
	for _, loop := range loops() {
		for i, m := range mixes {
			const steps = 3
			src, dst := make([]byte, line*(m.read*steps+1)), alloc[byte](new(arena), line*(m.written*steps+1))
			for j := range src {
				src[j] = byte(1 + j/line)
			}
			clear(dst)
			restDst, restSrc := loop.run(dst, src, i, steps)
			assert.Len(t, restDst, line)
			assert.Len(t, restSrc, line)
			assert.Equal(t, make([]byte, line), restDst)
			for j, got := range dst[:len(dst)-line] {
				step, stored := j/line/m.written, j/line%m.written
				if read := step*m.read + stored*m.read/m.written; got != byte(1+read) {
					t.Fatalf("%v, mix %v: byte %d comes from line %d, want %d", loop, m, j, got-1, read)
				}
			}
		}
	}
}

// The steps are as many as there is room for, but for one of each kind.
func TestSplit(t *testing.T) {
	for read := 0; read < 20000; read += 37 {
		for written := 0; written < 20000; written += 41 {
			mix, first, second := split(read, written)
			a, b := mixes[mix], mixes[mix+1]
			restRead, restWritten := read-line*(first*a.read+second*b.read), written-line*(first*a.written+second*b.written)
			within := first >= 0 && second >= 0 && restRead >= 0 && restWritten >= 0
			full := restRead < line*(a.read+b.read) && restWritten < line*(a.written+b.written)
			if !within || !full && written <= 16*read {
				t.Fatalf("%d read, %d written: %d of %v and %d of %v", read, written, first, a, second, b)
			}
		}
	}
}

func TestBytes(t *testing.T) {
	for name, want := range map[string][2]int{
		"fakequantize/int8/bytemask":       {4096, 5120},
		"fakequantize/int8/bitmask":        {4096, 4096 + 128},
		"fakequantize/int8/nomask/block32": {4096 + 128, 4096},
		"fakequantize/e4m3/nomask/f16":     {2048, 2048},
		"quantize/int4packed":              {4096, 512},
		"quantize/uint2packed/block32":     {4096 + 256, 256},
		"pack/int4":                        {1024, 512},
		"unpack/int2":                      {256, 1024},
		"quantize/e2m1packed/block32":      {4096 + 128, 512},
		"dequantize/int8":                  {1024, 4096},
		"minmax":                           {4096, 0},
		"backward/bytemask":                {5120, 4096},
		"encode/f16":                       {4096, 2048},
		"decode/e2m1packed":                {512, 4096},
		"dynamic/mxfp4/block32":            {4096, 512 + 128},
		"dynamic/nvfp4/block16":            {4096, 512 + 256},
	} {
		w := Ops(regexp.MustCompile("^" + name + "$"))[0].begin(new(arena), 1024)
		assert.Equal(t, want, [2]int{w.read, w.written}, name)
	}
}

// The memory of an operation is not that of another, and is aligned.
func TestArena(t *testing.T) {
	var a arena
	x, y := alloc[float32](&a, 5000), alloc[byte](&a, 5000)
	for i := range x {
		x[i] = 1
	}
	clear(y)
	assert.False(t, slices.ContainsFunc(x, func(v float32) bool { return v != 1 }))
	a.reset()
	assert.Same(t, &x[0], &alloc[float32](&a, 100)[0], "lent again")
}
