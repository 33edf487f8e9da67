package gguf

import (
	"math"

	"github.com/lowbit-go/lowbit/internal/asm"
)

// lanes is a batch of sixteen groups that are searched side by side by generated code, which makes the passes over the elements: element i of
// group g is at 16*i + g. A lane has the sums of its group in the order of the elements, so they are those of the portable search. Groups that
// are out of the ordinary, in which a number is no number or rounds in another way, are left to that.
type lanes struct {
	x, w, l      [16 * 32]float32
	params, sums [3 * 16]float32
}

// load puts groups side by side; groups that are not there are zeros.
func (b *lanes) load(x, w []float32, length int) {
	if len(x) < 16*length {
		clear(b.x[:16*length])
		clear(b.w[:16*length])
	}
	for g := 0; g*length < len(x); g++ {
		group, weights := x[g*length:][:length], w[g*length:][:length]
		for i, v := range group {
			b.x[16*i+g], b.w[16*i+g] = v, weights[i]
		}
	}
}

// searchBatch is search for at most sixteen groups. Lanes that are not usual compute something, and what that is does not matter.
func (s *rangedSearch) searchBatch(impl asm.ISA, b *lanes, fits []rangedFit, sums, x, w []float32, length int) {
	b.load(x, w, length)
	var least, most, bottom, sw, sx, best, inverses [16]float32
	var usual, fitted [16]bool
	clear(b.params[:])
	for i := range 16 {
		b.params[32+i] = s.n
	}
	count, some := len(x)/length, false
	for g := range count {
		group, weights := x[g*length:][:length], w[g*length:][:length]
		low, high, sumW := group[0], group[0], weights[0]
		sumX := float32(sumW * low)
		for i := 1; i < length; i++ {
			v := group[i]
			if v < low {
				low = v
			}
			if v > high {
				high = v
			}
			sumW += weights[i]
			sumX += float32(weights[i] * v)
		}
		bottom[g], least[g], most[g], sw[g], sx[g] = low, min(low, 0), high, sumW, sumX
		inverse := s.n / (high - least[g])
		// A sum that is finite is one of finite elements.
		usual[g] = finite(sumX) && finite(sumW) && high > least[g] && finite(inverse)
		some = some || usual[g]
		fits[g] = rangedFit{inverse: inverse, base: least[g], scale: 1 / inverse}
		b.params[g], b.params[16+g] = inverse, least[g]
	}
	if some {
		b.sumsRanged(impl, length)
		for g := range count {
			b.params[g] = fits[g].scale
		}
		b.errors(impl, length, s.absolute)
		copy(best[:], b.sums[:16])
		for k := range s.steps + 1 {
			levels := s.from + float32(s.step*float32(k)) + s.n
			for g := range 16 {
				inverse := levels / (most[g] - least[g])
				lowest := float32(inverse * (bottom[g] - least[g]))
				usual[g] = usual[g] && most[g] > least[g] && lowest > -4e6 && inverse <= math.MaxFloat32
				inverses[g] = inverse
				b.params[g], b.params[16+g] = inverse, least[g]
			}
			b.sumsRanged(impl, length)
			for g := range 16 {
				sl, sl2, sxl := b.sums[g], b.sums[16+g], b.sums[32+g]
				d := float32(sw[g]*sl2) - float32(sl*sl)
				fitted[g] = usual[g] && d > 0
				scale := (float32(sw[g]*sxl) - float32(sx[g]*sl)) / d
				offset := (float32(sl2*sx[g]) - float32(sl*sxl)) / d
				if offset > 0 {
					scale, offset = sxl/sl2, 0
				}
				b.params[g], b.params[16+g] = scale, offset
			}
			b.errors(impl, length, s.absolute)
			for g := range count {
				if e := b.sums[g]; fitted[g] && e < best[g] {
					best[g] = e
					fits[g].scale, fits[g].inverse, fits[g].base = b.params[g], inverses[g], least[g]
					least[g] = b.params[16+g]
				}
			}
		}
	}
	for g := range count {
		if usual[g] {
			fits[g].least, sums[g] = -least[g], sw[g]
		} else {
			fits[g], sums[g] = s.search(x[g*length:][:length], w[g*length:][:length])
		}
	}
}

// sumsRanged makes the pass over the elements that gives levels and sums.
func (b *lanes) sumsRanged(impl asm.ISA, length int) {
	asm.RangedSums(impl, &b.l[0], &b.x[0], &b.w[0], &b.params[0], &b.sums[0], length)
}

// errors makes the pass that leaves the errors in the first of the sums.
func (b *lanes) errors(impl asm.ISA, length int, absolute bool) {
	kind := asm.SquaredError
	if absolute {
		kind = asm.AbsoluteError
	}
	asm.RangedError(impl, kind, &b.l[0], &b.x[0], &b.w[0], &b.params[0], &b.sums[0], length)
}

// searchSymmetricBatch is searchSymmetric for at most sixteen groups.
func searchSymmetricBatch(impl asm.ISA, b *lanes, fits []symmetricFit, x, w []float32, length int, n float32) {
	b.load(x, w, length)
	var most, best [16]float32
	var usual [16]bool
	clear(b.params[:])
	for i := range 16 {
		b.params[16+i], b.params[32+i] = -n, n-1
	}
	count := len(x) / length
	for g := range fits[:count] {
		group := x[g*length:][:length]
		most[g] = firstLargest(group)
		usual[g] = abs32(most[g]) >= tiny
		for _, v := range group {
			usual[g] = usual[g] && finite(v)
		}
		if !usual[g] {
			fits[g] = searchSymmetric(group, w[g*length:][:length], n)
			continue
		}
		fits[g] = symmetricFit{inverse: -n / most[g]}
		b.params[g] = fits[g].inverse
	}
	asm.SymmetricSums(impl, &b.x[0], &b.w[0], &b.params[0], &b.sums[0], length)
	for g := range fits[:count] {
		if usual[g] {
			a, d := b.sums[g], b.sums[16+g]
			if d != 0 {
				fits[g].scale = a / d
			}
			best[g] = float32(fits[g].scale * a)
		}
	}
	for k := -9; k <= 9; k++ {
		if k == 0 {
			continue
		}
		levels := -(n + float32(0.1*float32(k)))
		for g := range 16 {
			b.params[g] = levels / most[g]
		}
		asm.SymmetricSums(impl, &b.x[0], &b.w[0], &b.params[0], &b.sums[0], length)
		for g := range fits[:count] {
			a, d := b.sums[g], b.sums[16+g]
			if usual[g] && d > 0 && float32(a*a) > float32(best[g]*d) {
				fits[g].scale, fits[g].inverse = a/d, b.params[g]
				best[g] = float32(fits[g].scale * a)
			}
		}
	}
}
