package gguf

import (
	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
)

// fits are the results of the searches of a piece.
type fits struct {
	found
	leveler leveler

	positive [2 * pieceLen / 256]float32  // inverses for searchPositive of the scales and of the least values of each block
	second   [pieceLen / 256]symmetricFit // of the scales of each block

	scaleSteps, leastSteps blockSteps

	lanes    lanes // what is before it has whole lines of the cache, so that its rows do not cross any
	weighing weighing
}

// found has what the searches of a piece found, one of each for each group: what rangedFit and symmetricFit have, the sum of the weights, and a
// number no less than the largest magnitude.
type found struct {
	scale, least, inverse, base, sums, largest [pieceLen / 16]float32
	flat                                       [pieceLen / 16]bool
}

func (f *found) ranged(g int) rangedFit {
	return rangedFit{scale: f.scale[g], least: f.least[g], inverse: f.inverse[g], base: f.base[g], flat: f.flat[g]}
}

func (f *found) symmetric(g int) symmetricFit {
	return symmetricFit{scale: f.scale[g], inverse: f.inverse[g], zero: f.flat[g]}
}

func (f *found) setSymmetric(g int, fit symmetricFit) {
	f.scale[g], f.inverse[g], f.flat[g] = fit.scale, fit.inverse, fit.zero
}

// each visits the groups of a piece, one by one.
func each(x []float32, length int, visit func(x []float32, g int)) {
	for g := range len(x) / length {
		visit(x[length*g:][:length], g)
	}
}

// searchRanged searches for each group of a piece.
func (f *fits) searchRanged(s *rangedSearch, x []float32, length int) {
	clear(f.flat[:])
	if impl := isa.Current(); impl != asm.Generic {
		f.searchRangedBatches(impl, s, x, length)
		return
	}
	each(x, length, func(x []float32, g int) { f.searchRangedGroup(s, x, g) })
}

// searchSymmetric does the same.
func (f *fits) searchSymmetric(x []float32, length int, n float32) {
	clear(f.flat[:])
	if impl := isa.Current(); impl != asm.Generic {
		f.searchSymmetricBatches(impl, x, length, n)
		return
	}
	each(x, length, func(x []float32, g int) { f.searchSymmetricGroup(x, g, n) })
}

// searchIQ4 does the same with groups of 32.
func (f *fits) searchIQ4(x []float32) {
	if impl := isa.Current(); impl != asm.Generic {
		f.searchIQ4Batches(impl, x)
		return
	}
	each(x, 32, f.searchIQ4Group)
}

// searchQuick does the same with groups of sixteen.
func (f *fits) searchQuick(x []float32) {
	if impl := isa.Current(); impl != asm.Generic {
		f.searchQuickBatches(impl, x)
		return
	}
	each(x, 16, f.searchQuickGroup)
}

// tryPositives tries the inverses of the second level of a piece's blocks, which have so many scales each.
func (f *fits) tryPositives(blocks, scales int, most float32) {
	clear(f.positive[:])
	if impl := isa.Current(); impl != asm.Generic {
		f.tryPositivesBatch(impl, blocks, scales, most)
	}
}

// searchScales searches for the second level of a piece's blocks, which have sixteen scales each.
func (f *fits) searchScales(blocks int) {
	if impl := isa.Current(); impl != asm.Generic {
		f.searchScalesBatches(impl, blocks)
		return
	}
	for i := range blocks {
		f.searchScalesBlock(i)
	}
}

func (f *fits) searchScalesBlock(i int) {
	f.second[i] = searchSymmetric(f.scale[16*i:][:16], f.sums[16*i:][:16], 32)
}

func (f *fits) searchQuickGroup(x []float32, g int) {
	var codes [16]byte
	f.scale[g], f.largest[g] = searchQuick(codes[:], x, 4), infinity
}

// weights are those of a group that is searched by the portable code, and their sum.
func (f *fits) weights(w, x []float32, g int) []float32 {
	w = w[:len(x)]
	f.weighing.group(w, x, g)
	f.largest[g], f.sums[g] = infinity, 0
	for _, v := range w {
		f.sums[g] += v
	}
	return w
}

func (f *fits) searchRangedGroup(s *rangedSearch, x []float32, g int) {
	var room [32]float32
	w := f.weights(room[:], x, g)
	fit, sum := s.search(x, w)
	f.scale[g], f.least[g], f.inverse[g], f.base[g], f.flat[g], f.sums[g] = fit.scale, fit.least, fit.inverse, fit.base, fit.flat, sum
}

func (f *fits) searchSymmetricGroup(x []float32, g int, n float32) {
	var room [32]float32
	f.setSymmetric(g, searchSymmetric(x, f.weights(room[:], x, g), n))
}

func (f *fits) searchIQ4Group(x []float32, g int) {
	var room [32]float32
	f.scale[g] = searchIQ4(x, f.weights(room[:], x, g))
}

// byMean weighs by importance and the mean of the squares of a row.
func (f *fits) byMean(im []float32, mean float32) {
	f.weighing.kind, f.weighing.importance = byImportance, im
	for g := range f.weighing.means {
		f.weighing.means[g] = mean
	}
}
