package kernels

import (
	"fmt"
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/lowbit-go/lowbit/fp8"
)

// errorTrial is a call of ErrorInt or ErrorFloat.
type errorTrial struct {
	src, weights []float32
	groups       int
	ints         *IntParams
	floats       *FloatParams
	norm         Norm
}

func (e *errorTrial) String() string {
	name := fmt.Sprintf("%d groups of %d, norm %d, weights %t", e.groups, len(e.src)/e.groups, e.norm, e.weights != nil)
	if e.ints != nil {
		return fmt.Sprintf("%s, %d..%d, zero points %t, minvals %t", name, e.ints.Min, e.ints.Max, e.ints.ZeroPoint != nil, e.ints.Minval != nil)
	}
	return fmt.Sprintf("%s, %v, %v, %v, global scale %v", name, e.floats.Format, e.floats.Dialect, e.floats.Scales, e.floats.Global)
}

// run is the call with an implementation; it stands in memory between pages without access.
func (e *errorTrial) run(impl isa, a *arena, candidates int) []float32 {
	dst := view[float32](a.place(4*e.groups*candidates, 0, true))
	if e.ints != nil {
		errorInt(impl, dst, e.src, e.weights, e.groups, e.ints, e.norm)
	} else {
		errorFloat(impl, dst, e.src, e.weights, e.groups, e.floats, e.norm)
	}
	return dst
}

// newErrorTrial makes one whose elements are near what their first group's candidates round at.
func newErrorTrial(r *source, x []float32, groups, candidates int, weights []float32) *errorTrial {
	n := groups * candidates
	e := &errorTrial{src: x, groups: groups, norm: Norm(r.IntN(2))}
	if r.IntN(2) == 0 {
		e.weights = weights
		for i := range weights {
			weights[i] = float32(r.Float64())
		}
	}
	scale := make([]float32, n)
	r.scales(scale)
	first := make([]float32, groups) // candidates
	for i := range first {
		first[i] = scale[i*candidates]
	}
	g := Grid{Rows: 1, Groups: groups, Len: len(x) / groups}
	if kind := r.IntN(4); kind < 3 {
		lo, hi := [...]int{-8, -128, 0, -2, -32768}[r.IntN(5)], 7
		switch lo {
		case -128:
			hi = 127
		case 0:
			hi = 255
		case -2:
			hi = 1
		case -32768:
			hi = 32767
		}
		e.ints = &IntParams{Min: lo, Max: hi, Scale: scale}
		if lo < -128 {
			e.ints.Format = Int16
		}
		p := IntParams{Min: lo, Max: hi, Scale: first}
		switch kind {
		case 1:
			e.ints.ZeroPoint = make([]int32, n)
			r.zeroPoints(e.ints.ZeroPoint, lo, hi)
			p.ZeroPoint = make([]int32, groups)
			for i := range p.ZeroPoint {
				p.ZeroPoint[i] = e.ints.ZeroPoint[i*candidates]
			}
		case 2:
			e.ints.Minval = make([]float32, n)
			r.minvals(e.ints.Minval, scale, hi-lo)
			p.Minval = make([]float32, groups)
			for i := range p.Minval {
				p.Minval[i] = e.ints.Minval[i*candidates]
			}
		}
		nearInts(r, x, g, &p)
		return e
	}
	f := floatFormats[r.IntN(len(floatFormats))]
	e.floats = &FloatParams{Format: f, Scale: scale}
	if r.IntN(3) == 0 {
		e.floats.Format = E2M1
		two := [...]Dialect{TorchAO, ModelOpt, CompressedTensors, TorchAO}[r.IntN(4)]
		e.floats.Dialect, e.floats.Scales, e.floats.Global = two, ScaleE4M3FNGlobal, float32(math.Ldexp(1+r.Float64(), r.IntN(16)-12))
		if r.IntN(4) == 0 {
			e.floats.Dialect, e.floats.Scales, e.floats.Global = TorchAO, ScaleE4M3FN, 0
		}
		for i := range scale {
			scale[i] = fp8.E4M3FN(1 + r.IntN(126)).Float32()
		}
		m := e.floats.method()
		for i := range first {
			first[i] = m.valueScale(scale[i*candidates])
		}
		f = E2M1
	}
	nearFloats(r, x, g, &FloatParams{Format: f, Scale: first})
	return e
}

// TestErrors holds every implementation against the portable code, for all short lengths, the longest ones and any number of candidates.
func TestErrors(t *testing.T) {
	r := newSource(77)
	in, weights, out := newArena(), newArena(), newArena()
	check := func(impl isa, groups, length, candidates int) {
		r.mood()
		n := groups * length
		x := view[float32](in.place(4*n, 0, r.IntN(2) == 0))
		e := newErrorTrial(r, x, groups, candidates, view[float32](weights.place(4*n, 0, r.IntN(2) == 0)))
		want := append([]float32(nil), e.run(generic, out, candidates)...)
		got := e.run(impl, out, candidates)
		require.NoError(t, out.check())
		for i, w := range want {
			if math.Float32bits(w) != math.Float32bits(got[i]) && (w == w || got[i] == got[i]) {
				require.Failf(t, "not the same", "%v: candidate %d of %d: %v, want %v", e, i, candidates, got[i], w)
			}
		}
	}
	forEachImplementation(t, func(t *testing.T) {
		impl := current()
		for length := 1; length <= 100; length++ {
			for range effort(2, 10, 100) {
				check(impl, 1+r.IntN(4), length, 1+r.IntN(40))
			}
		}
		for _, length := range []int{4095, 4096} {
			for range effort(1, 4, 50) {
				check(impl, 1+r.IntN(3), length, 1+r.IntN(18))
			}
		}
	})
}

// TestLeast holds the search among candidates of groups side by side, in one call or several, against one by the portable code's errors.
func TestLeast(t *testing.T) {
	r := newSource(78)
	in, weights, out := newArena(), newArena(), newArena()
	forEachImplementation(t, func(t *testing.T) {
		impl := current()
		for range effort(60, 400, 4000) {
			length, candidates := RowsAtOnce*(1+r.IntN(15)), 1+r.IntN(40)
			switch r.IntN(40) {
			case 0:
				length, candidates = 4096, 1
			case 1:
				length = 300
			}
			r.mood()
			n := Columns * length
			e := newErrorTrial(r, make([]float32, n), Columns, candidates, make([]float32, n))
			if e.ints != nil {
				e.ints.Minval = nil
			}
			if e.weights != nil && r.IntN(4) == 0 {
				e.weights[r.IntN(n)] = -1
			}
			var want, got Best
			for i, e := range e.run(generic, out, candidates) { // those of a column one after the other
				want.take(i/candidates, e)
			}
			place := func(a *arena, x []float32) []float32 {
				if x == nil || length >= 1000 {
					return inColumns(x)
				}
				y := view[float32](a.place(4*n, 0, r.IntN(2) == 0))
				from := begins(Columns, length)
				toColumns(impl, y, x, &from, length)
				require.Equal(t, view4(inColumns(x)), view4(y))
				return y
			}
			x, w := place(in, e.src), place(weights, e.weights)
			for at := 0; at < candidates; {
				k := 1 + r.IntN(candidates-at)
				first := Columns * at
				if p := e.ints; p != nil {
					leastInt(impl, &got, x, w, &IntParams{Format: p.Format, Min: p.Min, Max: p.Max, Scale: part(inColumns(p.Scale), first, Columns*k),
						ZeroPoint: intsPart(inColumns(p.ZeroPoint), first, Columns*k)}, e.norm)
				} else {
					p := *e.floats
					p.Scale = part(inColumns(p.Scale), first, Columns*k)
					leastFloat(impl, &got, x, w, &p, e.norm)
				}
				at += k
			}
			require.NoError(t, in.check())
			require.NoError(t, weights.check())
			for g := range Columns {
				same := math.Float32bits(want.Error[g]) == math.Float32bits(got.Error[g]) || want.Error[g] != want.Error[g] && got.Error[g] != got.Error[g]
				require.True(t, same && want.Candidate[g] == got.Candidate[g], "%v: candidate %d of column %d with %v, want %d with %v", e, got.Candidate[g], g, got.Error[g], want.Candidate[g], want.Error[g])
			}
		}
	})
}

// intsPart is part of integers.
func intsPart(x []int32, at, n int) []int32 {
	if x == nil {
		return nil
	}
	return x[at:][:n]
}

// inColumns puts rows one after the other side by side.
func inColumns[E any](x []E) []E {
	if x == nil {
		return nil
	}
	out, n := make([]E, len(x)), len(x)/Columns
	for i, v := range x {
		out[i%n*Columns+i/n] = v
	}
	return out
}

// TestToColumns puts groups of all short lengths side by side.
func TestToColumns(t *testing.T) {
	in, out := newArena(), newArena()
	forEachImplementation(t, func(t *testing.T) {
		for length := 0; length <= 40; length++ {
			for groups := 1; groups <= Columns; groups++ {
				rows := (length + RowsAtOnce - 1) / RowsAtOnce * RowsAtOnce
				src, dst := view[float32](in.place(4*length*groups, 0, true)), view[float32](out.place(4*rows*Columns, 0, true))
				for i := range src {
					src[i] = float32(i)
				}
				order := make([]int32, groups)
				for i := range order {
					order[i] = int32(i * 7 % groups)
				}
				ToColumns(dst, src, length, order)
				require.NoError(t, out.check())
				for i, v := range dst {
					want := float32(int(order[min(i%Columns, groups-1)])*length + i/Columns)
					if i/Columns >= length {
						want = 0
					}
					if v != want {
						require.Failf(t, "not the same", "%d groups of %d: %v at %d, want %v", groups, length, v, i, want)
					}
				}
			}
		}
	})
}

// TestErrorDefinition holds the portable code against the definition, element by element.
func TestErrorDefinition(t *testing.T) {
	r := newSource(5)
	x, weights := make([]float32, 3*50), make([]float32, 3*50)
	for range effort(50, 400, 2000) {
		e := newErrorTrial(r, x, 3, 2, weights)
		for i, got := range e.run(generic, newTestArena(t), 2) {
			group := e.src[i/2*50:][:50]
			y := make([]float32, 50)
			g := Grid{Rows: 1, Groups: 1, Len: 50}
			if e.ints != nil {
				p := e.ints.part(i, 1)
				portableFakeQuantizeInt(y, NoMask, group, g, &p)
			} else {
				p := e.floats.part(i, 1)
				portableFakeQuantizeFloat(y, NoMask, group, g, &p)
			}
			var lanes [16]float32
			for j, v := range y {
				d := v - group[j]
				term := float32(d * d)
				if e.norm == Norm2Half {
					term *= float32(math.Sqrt(math.Abs(float64(d))))
				}
				if e.weights != nil {
					term *= e.weights[i/2*50+j]
				}
				lanes[j%16] += term
			}
			for half := 8; half > 0; half /= 2 {
				for j := range half {
					lanes[j] += lanes[j+half]
				}
			}
			if want := lanes[0]; want == want || got == got {
				require.Equal(t, want, got, "%v", e)
			}
		}
	}
}

func newTestArena(*testing.T) *arena { return &arena{data: make([]byte, 1024)} }

func BenchmarkErrors(b *testing.B) {
	const n, candidates = 4096, 16
	for _, length := range []int{16, 32, 128, 4096} {
		x := make([]float32, n)
		r := newSource(1)
		for i := range x {
			x[i] = float32(r.Float64())*2 - 1
		}
		groups := n / length
		p := &IntParams{Min: -8, Max: 7, Scale: make([]float32, groups*candidates)}
		f := &FloatParams{Format: E4M3FN, Scale: p.Scale}
		for i := range p.Scale {
			p.Scale[i] = float32(64-i%16) / 64 / 7.5
		}
		dst := make([]float32, groups*candidates)
		b.Run(fmt.Sprintf("int/%d", length), func(b *testing.B) {
			b.SetBytes(int64(n) * int64(unsafe.Sizeof(x[0])))
			for range b.N {
				ErrorInt(dst, x, nil, groups, p, Norm2)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n/candidates, "ns/elem/cand")
		})
		b.Run(fmt.Sprintf("float/%d", length), func(b *testing.B) {
			for range b.N {
				ErrorFloat(dst, x, nil, groups, f, Norm2)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n/candidates, "ns/elem/cand")
		})
		b.Run(fmt.Sprintf("fakequantize/%d", length), func(b *testing.B) {
			y := make([]float32, n)
			q := &IntParams{Min: -8, Max: 7, Scale: p.Scale[:groups]}
			for range b.N {
				FakeQuantizeInt(y, NoMask, x, Grid{1, groups, length}, q)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/elem/cand")
		})
	}
}
