package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/safetensors"
)

// inPieces makes pieces that small, for the length of a test.
func inPieces(t *testing.T, piece, whole int64) {
	wasPiece, wasWhole := pieceSize, wholeSize
	t.Cleanup(func() { pieceSize, wholeSize = wasPiece, wasWhole })
	pieceSize, wholeSize = piece, whole
}

// noise makes a tensor of random elements, an infinity among them if it is long.
func noise(name string, dtype safetensors.DType, shape ...int) tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	r := rand.New(rand.NewPCG(uint64(n), uint64(len(shape))))
	wide, narrow := make([]float32, n), make([]uint16, n)
	for i := range wide {
		wide[i] = float32(r.NormFloat64())
		if i == 1000 {
			wide[i] = float32(math.Inf(1))
		}
		narrow[i] = uint16(bf16.FromFloat32(wide[i]))
		if dtype == safetensors.F16 {
			narrow[i] = uint16(r.Uint32()) & 0x3fff
		}
	}
	if dtype == safetensors.F32 {
		return of(name, dtype, shape, wide...)
	}
	return of(name, dtype, shape, narrow...)
}

// Pieces of any size, that a worker can have whole or not, make the same files: every granularity, type and packing, odd sizes, long rows.
func TestSmallPieces(t *testing.T) {
	dir := t.TempDir()
	in, want, got := filepath.Join(dir, "in"), filepath.Join(dir, "want"), filepath.Join(dir, "got")
	tensors := []tensor{
		noise("square", safetensors.F32, 48, 48), noise("half", safetensors.F16, 48, 96), noise("brain", safetensors.BF16, 96, 48), noise("cube", safetensors.F32, 6, 12, 24),
		noise("wide", safetensors.BF16, 2, 1200), noise("odd", safetensors.F32, 6, 51), noise("long", safetensors.F32, 1, 1203), noise("small", safetensors.F16, 6, 3),
		of("other", safetensors.F64, []int{3, 51}, make([]float64, 153)...), noise("row", safetensors.F32, 36),
	}
	save(t, in, tensors...)
	same := func(what string, command ...string) {
		t.Helper()
		args := append(command, "-o")
		whole := lowbit(t, append(args, want, in)...)
		require.Equal(t, exitOK, whole.status, "%s: %s", what, whole.stderr)
		for _, size := range [][2]int64{{256, 0}, {1024, 3000}, {4096, 1 << 20}} {
			t.Run(fmt.Sprint(what, size), func(t *testing.T) {
				inPieces(t, size[0], size[1])
				r := lowbit(t, append(args, got, "--workers", "3", in)...)
				require.Equal(t, exitOK, r.status, r.stderr)
				assert.Equal(t, whole.stderr, r.stderr)
				require.Equal(t, load(t, want), load(t, got))
			})
		}
	}
	for _, dtype := range []string{"int8", "uint4", "int2", "float8_e5m2", "float4_e2m1fn"} {
		for _, granularity := range []string{
			`{"type":"per_tensor"}`, `{"type":"per_channel","axis":0}`, `{"type":"per_channel","axis":-1}`, `{"type":"per_block","axis":-1,"block_size":3}`,
			`{"type":"per_block","axis":0,"block_size":6}`, `{"type":"per_block","block_size":[2,12]}`, `{"type":"per_block","block_size":[3,-1]}`, `{"type":"per_block","axis":0,"block_size":5}`,
		} {
			for _, rest := range []string{``, `,"float_range":[-1,1]`} {
				spec := `{"dtype":"` + dtype + `","granularity":` + granularity + rest + `}`
				command := []string{"quantize", "--spec", spec}
				if strings.Contains(granularity, `_size":[`) {
					command = append(command, "--exclude", "cube|row")
				}
				in = filepath.Join(dir, "in")
				if dtype != "int2" && rest == "" {
					command[0] = "fakequant"
					same("fakes "+spec, append(command, "--mask", "bit", "--grad", in)...)
					same("fakes "+spec, append(command, "--mask", "none", "--target", "activation")...)
					command[0] = "quantize"
				}
				same("codes "+spec, command...)
				if dtype == "int8" || dtype == "float8_e5m2" {
					in = saveAs(t, filepath.Join(dir, "codes"), want)
					same("values "+spec, "dequantize")
					continue
				}
				if dtype == "float4_e2m1fn" {
					command = append(command, "--include", "square|half|brain|wide")
				}
				same("packed "+spec, append(command, "--pack")...)
				in = saveAs(t, filepath.Join(dir, "codes"), want)
				same("values of packed "+spec, "dequantize")
			}
		}
	}
}

// saveAs copies a file.
func saveAs(t *testing.T, path, from string) string {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, content, 0o666))
	return path
}

// whenAsked is a context that does something when the tool asks for the n-th time whether it was interrupted.
type whenAsked struct {
	context.Context
	n     int64
	do    func() error
	asked atomic.Int64
}

func (c *whenAsked) Err() error {
	if c.asked.Add(1) >= c.n {
		return c.do()
	}
	return nil
}

// Wherever in the work the user interrupts, or the file that is read shrinks, one line says so and nothing is left behind.
func TestStreamFailures(t *testing.T) {
	dir := t.TempDir()
	in, codes, out := filepath.Join(dir, "in"), filepath.Join(dir, "codes"), filepath.Join(dir, "out")
	tensors := []tensor{noise("a", safetensors.F32, 40, 50), noise("b", safetensors.BF16, 10, 3), noise("c", safetensors.F64, 0), noise("d", safetensors.F32, 10, 200)}
	save(t, in, tensors...)
	inPieces(t, 1024, 1024)
	goroutines := runtime.NumGoroutine()
	for _, spec := range []string{int8Spec, `{"dtype":"int8","granularity":{"type":"per_channel","axis":0}}`} {
		lowbit(t, "quantize", "--spec", spec, "-o", codes, in)
		for _, command := range [][]string{{"quantize", "--spec", spec, in}, {"quantize", "--spec", spec, "--exclude", "a|d", in}, {"fakequant", "--spec", spec, in}, {"dequantize", codes}} {
			source := command[len(command)-1]
			whole, err := os.Stat(source)
			require.NoError(t, err)
			for n := int64(1); ; n += 3 {
				interrupted := &whenAsked{Context: context.Background(), n: n, do: func() error { return context.Canceled }}
				r := lowbitUntil(t, interrupted, append(command, "--workers", "2", "-o", out)...)
				if r.status == exitOK {
					require.Greater(t, n, int64(3), "there were several pieces")
					require.NoError(t, os.Remove(out))
					break
				}
				assert.Equal(t, exitFailed, r.status)
				assert.True(t, strings.HasSuffix(r.stderr, "lowbit: interrupted\n"), r.stderr)
				assert.Empty(t, r.stdout)
				assert.Equal(t, []string{"codes", "in"}, entries(t, dir))
			}
			content, err := os.ReadFile(source)
			require.NoError(t, err)
			for n := int64(1); n < 5; n++ {
				shrink := &whenAsked{Context: context.Background(), n: n, do: func() error { return os.Truncate(source, whole.Size()/4) }}
				r := lowbitUntil(t, shrink, append(command, "--workers", "2", "-o", out)...)
				if r.status == exitOK && n > 1 { // all was read before
					require.NoError(t, os.Remove(out))
					require.NoError(t, os.WriteFile(source, content, 0o666))
					continue
				}
				assert.Equal(t, exitFailed, r.status, "%q", command)
				assert.Regexp(t, `^lowbit: .*`+filepath.Base(source)+`: tensor ".*": file became shorter while it was read: .*\n$`, r.stderr)
				assert.Equal(t, []string{"codes", "in"}, entries(t, dir))
				require.NoError(t, os.WriteFile(source, content, 0o666))
			}
		}
	}
	for wait := time.Millisecond; runtime.NumGoroutine() > goroutines && wait < time.Second; wait *= 2 {
		time.Sleep(wait) // one that is done may not have ended
	}
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines)
}

// The closing line gives the bytes of the tensors before and after.
func TestClosingLine(t *testing.T) {
	in, codes := save(t, place(t, "in"), ramp("a", 10, 10), ramp("b", 3)), place(t, "codes")
	const rest = ` in [0-9.e+-]+ s, [0-9.e+-]+ GB/s read and written\n$`
	assert.Regexp(t, `^quantize: 412 bytes to 111`+rest, works(t, "quantize", "--spec", int8Spec, "-o", codes, in))
	assert.Regexp(t, `^dequantize: 111 bytes to 412`+rest, works(t, "dequantize", "-o", in, codes))
	assert.Regexp(t, `^fakequant: 824 bytes to 539`+rest, works(t, "fakequant", "--spec", int8Spec, "-o", codes, in, in))
}

// What is written is as it was afterwards, on a machine with the other order of bytes too.
func TestPutRestores(t *testing.T) {
	defer func(was bool) { bigEndian = was }(bigEndian)
	bigEndian = true
	w, err := safetensors.Create(place(t, "out"), nil, []safetensors.Info{{Name: "w", DType: safetensors.I32, Shape: safetensors.ShapeOf(2)}})
	require.NoError(t, err)
	defer w.Close()
	elements := []int32{1, -2}
	require.NoError(t, put(&stream{}, w, "w", elements, 0))
	assert.Equal(t, []int32{1, -2}, elements)
}
