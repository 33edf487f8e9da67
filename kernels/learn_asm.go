package kernels

import (
	"math"
	"sync"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// learnColumns has room for a chunk of Columns groups side by side, which is too much for a stack.
type learnColumns struct {
	x, dy, wide [sumChunk * Columns]float32
	groups      [5][Columns]float32 // rows: scale, the ends of q, and those of v where it is not clipped
	sums        [Columns]float32
	totals      [2][Columns]float64
}

var learnBuffers = sync.Pool{New: func() any { return new(learnColumns) }}

// learnAsm puts groups side by side, Columns of them at a time, chunk by chunk.
func learnAsm[T Float](impl isa, dscale, dzero []float32, dy, x []T, g Grid, f fakeQuantizer, factor float32) {
	b := learnBuffers.Get().(*learnColumns)
	defer learnBuffers.Put(b)
	length := g.Rows * g.Len
	for first := 0; first < g.Groups; first += Columns {
		groups := min(Columns, g.Groups-first)
		least, step := b.describe(f, first, groups)
		b.totals = [2][Columns]float64{}
		for at := 0; at < length; at += sumChunk {
			n := min(sumChunk, length-at)
			rows := (n + RowsAtOnce - 1) / RowsAtOnce * RowsAtOnce
			columnsOf(impl, b.x[:rows*Columns], &b.wide, x, g, first, groups, at, n)
			columnsOf(impl, b.dy[:rows*Columns], &b.wide, dy, g, first, groups, at, n)
			b.add(impl, &b.totals[0], least, step, 0, rows, groups)
			if dzero != nil {
				b.add(impl, &b.totals[1], least, step, 1, rows, groups)
			}
		}
		for i := range groups {
			f.learned(dscale, dzero, first+i, b.totals[0][i], b.totals[1][i], factor)
		}
	}
}

// add adds the sums of a chunk.
func (b *learnColumns) add(impl isa, totals *[Columns]float64, least, step, clipped int32, rows, groups int) {
	for l := 0; l < groups; l += errorLanes(impl) {
		asm.Learn(impl, &b.sums[l], &b.groups[0][l], &b.x[l], &b.dy[l], least, step, clipped, 4*rows*Columns, 1)
	}
	for i := range groups {
		totals[i] += float64(b.sums[i])
	}
}

// describe sets what is known of groups, and returns the grid of codes.
func (b *learnColumns) describe(f fakeQuantizer, first, groups int) (least, step int32) {
	set := func(i int, s, lo, hi, from, to float32) {
		b.groups[0][i], b.groups[1][i], b.groups[2][i], b.groups[3][i], b.groups[4][i] = s, lo, hi, from, to
	}
	if f.ints == nil {
		d := &formats[f.floats.Format]
		for i := range groups {
			set(i, f.floats.Scale[first+i], -d.largest, d.largest, -d.largest, d.largest)
		}
		return d.field, d.step
	}
	const bits = 17 // what a code and a zero point may be apart
	for i := range groups {
		s, z, _ := f.ints.group(first + i)
		lo, hi := float32(f.ints.Min)-z, float32(f.ints.Max)-z
		set(i, s, lo, hi, roundedFrom(lo, -1), roundedFrom(hi, 1))
	}
	return (127 + bits) << 23, (23 - bits) << 23
}

// roundedFrom returns the number farthest from an integer in a direction that is rounded to it: of two integers as near, the even one is taken.
func roundedFrom(n, direction float32) float32 {
	edge := n + direction/2
	if int32(n)%2 != 0 {
		edge = math.Nextafter32(edge, n)
	}
	return edge
}

// columnsOf puts n elements of each of some groups side by side, from element at of a group on, and zeros behind them.
func columnsOf[T Float](impl isa, dst []float32, wide *[sumChunk * Columns]float32, x []T, g Grid, first, groups, at, n int) {
	if g.Rows == 1 {
		src := x[first*g.Len+at:]
		if flat, ok := any(src).([]float32); ok {
			from := begins(groups, g.Len)
			toColumns(impl, dst, flat, &from, n)
			return
		}
		for i := range groups {
			widenEnds(impl, wide[i*n:][:n], src[i*g.Len:])
		}
		from := begins(groups, n)
		toColumns(impl, dst, wide[:groups*n], &from, n)
		return
	}
	src, stride := x[first*g.Len:], g.Groups*g.Len
	row, from := at/g.Len, at%g.Len
	for done := 0; done < n; row, from = row+1, 0 {
		k, src, to := min(g.Len-from, n-done), src[row*stride:], dst[done*Columns:]
		flat, is32 := any(src).([]float32)
		switch {
		case g.Len == 1 && groups == Columns && is32: // no call
			*(*[Columns]float32)(to) = *(*[Columns]float32)(flat)
		case g.Len == 1:
			widenEnds(impl, to[:groups], src)
		default:
			for i := range groups {
				for j, v := range src[i*g.Len+from:][:k] {
					to[j*Columns+i] = value(v)
				}
			}
		}
		done += k
	}
	clear(dst[n*Columns:])
}
