package kernels

import (
	"errors"
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
	for _, prefix := range []string{"MinMax", "Choose", "Observe", "Dynamic", "Backward", "Pack", "Unpack"} {
		if strings.HasPrefix(k.name, prefix) {
			return false
		}
	}
	return true
}

// float32s are the kernels to which float32 numbers are given: each formula once.
func (k *kernel) float32s() bool {
	if k.operands[1].elem.name != "f32" || strings.Contains(k.name, "/f16") || strings.Contains(k.name, "/bf16") {
		return false
	}
	switch name, rest, _ := strings.Cut(k.name, "/"); name {
	case "FakeQuantizeInt":
		return rest == "f32/zp/bytemask" || rest == "f32/minval/bytemask"
	case "QuantizeInt":
		return rest == "f32/Int8/zp" || rest == "f32/Uint8/minval" || rest == "f32/Int4/zp" || rest == "f32/Uint2/minval"
	case "FakeQuantizeFloat":
		return strings.HasSuffix(rest, "bytemask")
	}
	return k.alone()
}

// TestAllInputs gives every input there is to the kernels that work on each by
// itself: all codes, float16 and bfloat16 numbers, of the float32 numbers one in
// -stride, and all with few mantissa bits and those beside them, among which
// are the ties of every format.
func TestAllInputs(t *testing.T) {
	implementations := assembled(t)
	for _, k := range table {
		t.Run(k.name, func(t *testing.T) { sweepInputs(t, &k, implementations) })
	}
}

// sweepInputs gives a kernel every input.
func sweepInputs(t *testing.T, k *kernel, implementations []string) {
	switch size := k.operands[1].elem.size; {
	case size == 1 && k.alone():
		for _, s := range []float32{1, 1. / 127, 0x1p-10, 300} {
			// so many elements that a byte of packed codes has every value too
			require.NoError(t, sweep(k, implementations, s, 1<<10, func(first int, src []byte) {
				for i := range src {
					src[i] = byte(first + i)
				}
			}), "scale %v", s)
		}
	case size == 2 && k.alone():
		for _, s := range []float32{1, 1. / 127, 0x1p-10, 300} {
			require.NoError(t, sweep(k, implementations, s, 1<<16, func(first int, src []byte) {
				for i, x := 0, view[uint16](src); i < len(x); i++ {
					x[i] = uint16(first + i)
				}
			}), "scale %v", s)
		}
	case k.float32s():
		require.NoError(t, sweepFloat32s(k, implementations))
	}
}

// sweepFloat32s sweeps float32 inputs.
func sweepFloat32s(k *kernel, implementations []string) error {
	step, low := *stride, 12 // bits of the mantissa that are zero
	if step == 0 {
		step, low = uint64(effort(100_003, 4001, 1)), effort(19, 16, 12)
	}
	err := sweep(k, implementations, 1, int((1<<32+step-1)/step), func(first int, src []byte) {
		for i, x := 0, view[uint32](src); i < len(x); i++ {
			x[i] = uint32(uint64(first+i) * step)
		}
	})
	if err != nil || step == 1 {
		return err
	}
	return sweep(k, implementations, 1, 7<<(32-low), func(first int, src []byte) {
		for i, x := 0, view[float32](src); i < len(x); i++ {
			x[i] = neighbour(math.Float32frombits(uint32((first+i)/7)<<low), (first+i)%7-3)
		}
	})
}

// batch is a part of a sweep: inputs, results wanted, and memory for others.
type batch struct {
	lab
	got trial
}

const (
	batchLen = 1 << 14
	batches  = 16 // of each worker, between two changes of the implementation
)

// sweep runs the kernel of each implementation on inputs 0..n-1, which input
// writes, in one group with the given scale.
func sweep(k *kernel, implementations []string, scale float32, n int, input func(first int, src []byte)) error {
	all := make([]batch, batches*min(runtime.GOMAXPROCS(0), (n+batchLen-1)/batchLen))
	for round := 0; round < n; round += len(all) * batchLen {
		each(all, func(i int, b *batch) error {
			first := round + i*batchLen
			b.set(k, scale, max(0, min(batchLen, n-first)))
			input(first, b.given.mem[1])
			k.oracle(&b.given)
			return nil
		})
		for _, name := range implementations {
			if err := Use(name); err != nil {
				return err
			}
			if err := each(all, func(i int, b *batch) error {
				k.run(&b.got)
				for i, o := range k.operands {
					if at := differ(o.elem, b.got.mem[i], b.given.mem[i]); at >= 0 {
						return fmt.Errorf("%s: %w", name, b.explain(o, at, b.got.mem[i], b.given.mem[i]))
					}
				}
				return nil
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// each calls f for every batch, on all processors, and returns an error of one.
func each(all []batch, f func(i int, b *batch) error) error {
	var wait sync.WaitGroup
	errs := make([]error, runtime.GOMAXPROCS(0))
	for w := range errs {
		wait.Go(func() {
			for i := w; i < len(all) && errs[w] == nil; i += len(errs) {
				errs[w] = f(i, &all[i])
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// set makes a batch of n inputs: parameters, and memory for results.
func (b *batch) set(k *kernel, scale float32, n int) {
	b.allot(k, Grid{1, 1, n})
	if len(k.formats) > 0 {
		b.given.min, b.given.max = k.formats[0].Min, k.formats[0].Max
	}
	results := b.got.mem
	b.got = b.given
	b.got.mem = append([][]byte(nil), b.given.mem...)
	for i, o := range k.operands {
		switch {
		case o.name == "scale":
			mem[float32](&b.given, i)[0] = scale
		case o.name == "minval" && o.len(b.given.grid) > 0:
			mem[float32](&b.given, i)[0] = -1.27
		case o.out && results != nil:
			b.got.mem[i] = results[i][:len(b.given.mem[i])]
		case o.out:
			b.got.mem[i] = view4(make([]float32, (len(b.given.mem[i])+3)/4))[:len(b.given.mem[i])]
		}
	}
}
