package kernels

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// stride is flagged because 2^32 inputs take too long under an emulator.
var stride = flag.Uint64("stride", 0, "of all float32 inputs try one in so many (default 4001; 100003 with -short, 1 with LOWBIT_EXHAUSTIVE)")

// alone reports whether an element of the kernel's result depends on one
// element of the input and the parameters of one group.
func (k *kernel) alone() bool {
	return !strings.HasPrefix(k.name, "MinMax") && !strings.HasPrefix(k.name, "Backward") && !strings.Contains(k.name, "ack")
}

// float32s are the kernels to which every float32 is given: each formula once.
func (k *kernel) float32s() bool {
	if k.operands[1].elem.name != "f32" || strings.Contains(k.name, "/f16") || strings.Contains(k.name, "/bf16") {
		return false
	}
	switch name, rest, _ := strings.Cut(k.name, "/"); name {
	case "FakeQuantizeInt":
		return rest == "f32/zp/bytemask" || rest == "f32/minval/bytemask"
	case "QuantizeInt":
		return rest == "f32/int8/zp" || rest == "f32/uint8/minval"
	case "FakeQuantizeFp":
		return strings.HasSuffix(rest, "bytemask")
	}
	return k.alone()
}

// TestAllInputs gives every input there is to the kernels that work on each by
// itself: all codes, float16 and bfloat16 numbers, of the float32 numbers one in
// -stride, and all with few mantissa bits and those beside them, among which
// are the ties of every format.
func TestAllInputs(t *testing.T) {
	for _, name := range assembled(t) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, Use(name))
			for _, k := range table {
				switch {
				case k.operands[1].elem.size < 4 && k.alone():
					size := k.operands[1].elem.size
					n := 1 << (8 * size)
					for _, s := range []float32{1, 1. / 127, 0x1p-10, 300} {
						require.NoError(t, tryInputs(&k, s, n, func(i int, b []byte) {
							copy(b, binary.NativeEndian.AppendUint16(nil, uint16(i)))
							if size == 1 {
								b[0] = byte(i)
							}
						}), "%s: scale %v", k.name, s)
					}
				case k.float32s():
					require.NoError(t, tryFloat32s(&k), k.name)
				}
			}
		})
	}
}

const batch = 1 << 14

// tryInputs runs the kernel on inputs 0..n-1.
func tryInputs(k *kernel, scale float32, n int, input func(i int, b []byte)) error {
	l := &lab{}
	t, elem := &l.given, k.operands[1].elem
	for at := 0; at < n; at += batch {
		l.allot(k, Grid{1, 1, min(batch, n-at)})
		if len(k.formats) > 0 {
			t.min, t.max = k.formats[0].Min, k.formats[0].Max
		}
		for i, o := range k.operands {
			switch o.name {
			case "scale":
				for g := range mem[float32](t, i) {
					mem[float32](t, i)[g] = scale
				}
			case "minval":
				for g := range mem[float32](t, i) {
					mem[float32](t, i)[g] = -1.27
				}
			}
		}
		for i := range len(t.mem[1]) / elem.size {
			input(at+i, t.mem[1][i*elem.size:][:elem.size])
		}
		results := *t
		results.mem = append([][]byte(nil), t.mem...)
		for i, o := range k.operands {
			if o.out {
				results.mem[i] = make([]byte, len(t.mem[i])+4)[:len(t.mem[i])]
			}
		}
		k.oracle(t)
		k.run(&results)
		for i, o := range k.operands {
			if at := differ(o.elem, results.mem[i], t.mem[i]); at >= 0 {
				return l.explain(o, at, results.mem[i], t.mem[i])
			}
		}
	}
	return nil
}

// tryFloat32s runs the kernel on float32 inputs.
func tryFloat32s(k *kernel) error {
	step, low := *stride, 12 // bits of the mantissa that are zero
	if step == 0 {
		step, low = uint64(effort(100_003, 4001, 1)), effort(19, 16, 12)
	}
	workers := runtime.GOMAXPROCS(0)
	errs := make([]error, workers)
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			// Each worker takes one of so many ranges of the sequence.
			count := int((1<<32 + step - 1) / step)
			from, to := count*w/workers, count*(w+1)/workers
			errs[w] = tryInputs(k, 1, to-from, func(i int, b []byte) {
				binary.NativeEndian.PutUint32(b, uint32(uint64(from+i)*step))
			})
			if errs[w] != nil || step == 1 {
				return
			}
			count = 7 << (32 - low)
			from, to = count*w/workers, count*(w+1)/workers
			errs[w] = tryInputs(k, 1, to-from, func(i int, b []byte) {
				x := neighbour(math.Float32frombits(uint32((from+i)/7)<<low), (from+i)%7-3)
				binary.NativeEndian.PutUint32(b, math.Float32bits(x))
			})
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("one in %d: %w", step, err)
		}
	}
	return nil
}
