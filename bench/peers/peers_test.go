package main

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gonum.org/v1/plot/plotter"

	"github.com/lowbit-go/lowbit/bench"
	"github.com/lowbit-go/lowbit/kernels"
)

// BenchmarkPeers is for go test: go test -bench 'Peers/^quantize$/^int8$'
func BenchmarkPeers(b *testing.B) {
	for _, op := range operations() {
		for _, peer := range op.Peers() {
			for _, n := range []int{4096, 65536} {
				b.Run(fmt.Sprintf("%s/%s/n=%d", op.Name(), peer, n), func(b *testing.B) {
					run, bytes := op.Op(peer).Begin(n)
					b.SetBytes(int64(bytes))
					for b.Loop() {
						run()
					}
				})
			}
		}
	}
}

// Where the peers' bits are not Lowbit's, and where they are.
func TestDifferences(t *testing.T) {
	const some = -1
	want := map[string]int{
		"fakequantize/int8/nomask simd any bits":         some, // a NaN becomes zero
		"fakequantize/int8/nomask loop within the range": some, // zeros are negative
		"fakequantize/int8/nomask loop any bits":         some,
		"minmax simd any bits":                           2,    // a NaN among them is lost
		"encode/bf16 d4l3k within the range":             some, // cut off, not rounded
		"encode/bf16 d4l3k any bits":                     some,
	}
	seen := 0
	for _, op := range operations() {
		for _, peer := range op.Peers() {
			for _, d := range op.Differences(peer) {
				name := strings.Join([]string{op.Name(), peer, d.Inputs}, " ")
				count, differ := want[name]
				switch {
				case count == some:
					assert.Positive(t, d.Count, name)
				default:
					assert.Equal(t, count, d.Count, "%s: first %v: %#x, Lowbit %#x", name, d.Input, d.Peer, d.Lowbit)
				}
				if differ {
					seen++
				}
				assert.Greater(t, d.Of, 1, name)
			}
		}
	}
	assert.Equal(t, len(want), seen, "an operation, peer or input that is expected was not there")
}

// A difference of one bit in one result is found.
func TestDifference(t *testing.T) {
	f := &function[int8, int8]{
		name:   "copy",
		lowbit: func(dst, src []int8) { copy(dst, src) },
		peers: []peer[int8, int8]{{"right", func(dst, src []int8) { copy(dst, src) }}, {"wrong", func(dst, src []int8) {
			copy(dst, src)
			dst[100] ^= 1
		}}},
		length: all, bits: codeBits, inputs: []inputs[int8]{{"all", every8}},
	}
	assert.Equal(t, []difference{{Inputs: "all", Of: 256}}, f.Differences("right"))
	assert.Equal(t, []difference{{Inputs: "all", Count: 1, Of: 256, Input: int8(-28), Peer: 0xe5, Lowbit: 0xe4}}, f.Differences("wrong"))
	assert.Panics(t, func() { f.Differences("nobody") })
}

// What a peer is said to move is what Lowbit's operation is said to move.
func TestOps(t *testing.T) {
	for _, op := range operations() {
		table := bench.Ops(regexp.MustCompile("^" + op.Name() + "$"))
		require.Len(t, table, 1, op.Name())
		_, want := table[0].Begin(1024)
		for _, peer := range op.Peers() {
			run, moved := op.Op(peer).Begin(1024)
			assert.Equal(t, want, moved, "%s %s", op.Name(), peer)
			assert.NotPanics(t, run)
		}
	}
}

func TestMeasure(t *testing.T) {
	results, err := measure([]int{64, 1000}, time.Nanosecond)
	require.NoError(t, err)
	rows := 0
	for _, op := range operations() {
		ours := bench.Ops(regexp.MustCompile("^" + regexp.QuoteMeta(op.Name()) + "$"))[0].Impls(kernels.Implementations()[1:])
		rows += 2 * (len(ours) + len(op.Peers()))
	}
	assert.Len(t, results, rows)
	for _, r := range results {
		assert.NotEmpty(t, r.Impl)
		assert.Positive(t, r.GBPerS)
	}

	var text bytes.Buffer
	require.NoError(t, print(&text, results))
	name := filepath.Join(t.TempDir(), "results.json")
	require.NoError(t, os.WriteFile(name, text.Bytes(), 0o666))
	again, err := read([]string{name, name})
	require.NoError(t, err)
	assert.Equal(t, slices.Concat(results, results), again)

	_, err = read(nil)
	assert.Error(t, err)
	require.NoError(t, os.WriteFile(name, []byte("{"), 0o666))
	_, err = read([]string{name})
	assert.ErrorContains(t, err, name)
}

func TestCurves(t *testing.T) {
	lines := curves([]bench.Result{
		{Op: "minmax", Impl: "avx2", N: 4096, GBPerS: 50, CopyRatio: 3},
		{Op: "minmax", Impl: "avx2", N: 256, GBPerS: 20, CopyRatio: 2},
		{Op: "minmax", Impl: "avx512", N: 4096, GBPerS: 80, CopyRatio: 2},
	})
	assert.Equal(t, map[[2]string]plotter.XYs{
		{"minmax", "avx2"}:   {{X: 256, Y: 20}, {X: 4096, Y: 50}},
		{"minmax", "avx512"}: {{X: 4096, Y: 80}},
		{"minmax", copied}:   {{X: 256, Y: 40}, {X: 4096, Y: 160}},
	}, lines)
}

// A line of its colour is drawn for each implementation, and none for one that is not there.
func TestDraw(t *testing.T) {
	var results []bench.Result
	for i, impl := range []string{"avx512", simd, loop} {
		for _, n := range []int{256, 1024, 4096} {
			results = append(results, bench.Result{Op: "quantize/int8", Impl: impl, N: n, GBPerS: float64(100 / (i + 1)), CopyRatio: 1.5})
		}
	}
	name := filepath.Join(t.TempDir(), "plot.png")
	require.NoError(t, drawing(name, results))
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	picture, err := png.Decode(file)
	require.NoError(t, err)
	count := map[color.RGBA]int{}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			count[color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)]++
		}
	}
	for _, s := range styles {
		n := count[color.RGBAModel.Convert(s.color).(color.RGBA)]
		switch s.legend {
		case "Lowbit, AVX2", "Lowbit, portable":
			assert.Zero(t, n, s.legend)
		default:
			assert.Greater(t, n, 300, s.legend)
		}
	}
	assert.Error(t, drawing(name, nil))
	assert.Error(t, drawing(filepath.Join(name, "no folder"), results))
}

func TestTicks(t *testing.T) {
	var labels []string
	for _, tick := range append(sizes(256, 1<<21), speeds(.9, 31)...) {
		labels = append(labels, tick.Label)
	}
	assert.Equal(t, strings.Fields("256 1Ki 4Ki 16Ki 64Ki 256Ki 1Mi 1 3 10 30"), labels)
}

func TestCommands(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run([]string{"differ"}, &out))
	assert.Regexp(t, `(?m)^encode/bf16 +d4l3k +within the range +\d{6} +1048576 `, out.String())
	out.Reset()
	require.NoError(t, run(strings.Fields("measure -least 6 -most 6 -time 1ns"), &out))
	name := filepath.Join(t.TempDir(), "results.json")
	require.NoError(t, os.WriteFile(name, out.Bytes(), 0o666))
	require.NoError(t, run([]string{"draw", "-o", name + ".png", name}, &out))
	assert.FileExists(t, name+".png")
	assert.Error(t, run(nil, &out))
	assert.Error(t, run([]string{"plot"}, &out))
	assert.Error(t, run([]string{"draw"}, &out))
}

// Each has its own time, and the worst ratio is found.
func TestCompare(t *testing.T) {
	slow := func() { time.Sleep(3 * time.Millisecond) }
	best := [2]float64{math.Inf(1), math.Inf(1)}
	turns(&best, [2]func(){slow, func() {}}, time.Millisecond)
	assert.Greater(t, best[0], best[1])
	all := compare(regexp.MustCompile("^(minmax|encode/bf16)$"), []int{64, 128}, time.Nanosecond)
	require.Len(t, all, 1) // simd has no bfloat16
	assert.Equal(t, "minmax", all[0].op)
	assert.Len(t, all[0].ratios, 2)

	var text bytes.Buffer
	table(&text, []int{512, 2048, 3 << 20}, []comparison{{"minmax", []float64{.5, 1.25, .25}}})
	assert.Equal(t, "| op | worst | 512 | 2Ki | 3Mi |\n|---|---|---|---|---|\n| minmax | 1.25 at 2Ki | 0.50 | 1.25 | 0.25 |\n", text.String())
	text.Reset()
	require.NoError(t, run(strings.Fields("compare -least 6 -most 6 -time 1ns -ops f16"), &text))
	assert.Equal(t, 4, strings.Count(text.String(), "\n"))
	assert.Error(t, run(strings.Fields("compare -ops ("), &text))
}
