package gguf

import (
	"encoding/binary"
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
)

// weigh writes the weights that an importance matrix gives elements: importance * sqrt(mean + x*x).
func weigh(w, x, im []float32, mean float32) {
	w, im = w[:len(x)], im[:len(x)]
	for i, v := range x {
		w[i] = float32(im[i] * sqrt32(mean+float32(v*v)))
	}
}

// rootWeights writes the weights of a group of Q4_K or Q5_K: abs(x) + the root of the mean of the squares.
func rootWeights(w, x []float32) {
	root := sqrt32(sumSquares(x) / float32(len(x)))
	for i, v := range x {
		w[i] = root + abs32(v)
	}
}

// squares writes the squares of elements.
func squares(w, x []float32) {
	w = w[:len(x)]
	for i, v := range x {
		w[i] = float32(v * v)
	}
}

// sumSquares is the sum of the squares, in order.
func sumSquares(x []float32) (sum float32) {
	for _, v := range x {
		sum += float32(v * v)
	}
	return sum
}

// weighing says what the errors of the elements of a piece are weighed by.
type weighing struct {
	kind       int
	importance []float32
	means      [pieceLen / 16]float32 // of the squares, for each group
}

// What the weights are made of.
const (
	byRoot        = iota // abs(x) + the root of the mean of the group's squares
	byMagnitude          // abs(x)
	bySquare             // x*x
	byImportance         // importance * the root of a mean + x*x
	byNothingElse        // the importance alone
)

// group writes the weights of a group.
func (w *weighing) group(dst, x []float32, g int) {
	switch at := g * len(x); w.kind {
	case byRoot:
		rootWeights(dst, x)
	case byMagnitude:
		for i, v := range x {
			dst[i] = abs32(v)
		}
	case bySquare:
		squares(dst, x)
	case byImportance:
		weigh(dst, x, w.importance[at:], w.means[g])
	case byNothingElse:
		copy(dst, w.importance[at:at+len(x)])
	}
}

// byMeans weighs by importance and a factor times the mean of the squares of each 256 elements.
func (w *weighing) byMeans(x, im []float32, length int, factor float32) {
	w.kind, w.importance = byImportance, im
	groups := 256 / length
	sumsOfSquares(x, 256, func(block int, sum float32) {
		mean := float32(factor*sum) / 256
		for g := range groups {
			w.means[groups*block+g] = mean
		}
	})
}

// sumsOfSquares visits blocks of so many elements, with the sum of the squares of each.
func sumsOfSquares(x []float32, length int, visit func(block int, sum float32)) {
	for first := 0; len(x) > 0; first += 8 {
		var sums [8]float32
		blocks := min(len(x)/length, len(sums))
		if blocks == len(sums) {
			var parts [8][]float32
			for i := range parts {
				parts[i] = x[length*i:][:length]
			}
			addSquares(&sums, &parts)
		} else {
			for i := range blocks {
				sums[i] = sumSquares(x[length*i:][:length])
			}
		}
		for i, sum := range sums[:blocks] {
			visit(first+i, sum)
		}
		x = x[length*blocks:]
	}
}

// addSquares adds the squares of elements to eight sums side by side: each sum waits for itself. The length of the fifth slice is looked at in the
// loop, which keeps the compiler from computing all squares first: one of the sums would leave its register for that.
func addSquares(sums *[8]float32, x *[8][]float32) {
	n := len(x[0])
	x0, x1, x2, x3, x4, x5, x6, x7 := x[0][:n], x[1][:n], x[2][:n], x[3][:n], x[4], x[5][:n], x[6][:n], x[7][:n]
	a, b, c, d, e, f, g, h := sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7]
	for i := range n {
		a += float32(x0[i] * x0[i])
		b += float32(x1[i] * x1[i])
		c += float32(x2[i] * x2[i])
		d += float32(x3[i] * x3[i])
		e += float32(x4[i] * x4[i])
		f += float32(x5[i] * x5[i])
		g += float32(x6[i] * x6[i])
		h += float32(x7[i] * x7[i])
	}
	*sums = [8]float32{a, b, c, d, e, f, g, h}
}

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

// quantizeSignedWeighed is Q4_0 and Q5_0 with an importance matrix; mean is that of the squares of the row.
func (f *fits) quantizeSignedWeighed(dst []byte, x []float32, t Type, im []float32, mean float32) {
	n := int32(8)
	if t == Q5_0 {
		n = 16
	}
	f.byMean(im, mean)
	f.searchSymmetric(x, 32, float32(n))
	clear(f.base[:])
	f.leveler.first(&f.found, x, -n, n-1, func(codes []byte, x []float32, g int) { f.firstSymmetric(codes, x, g, n) })
	for i, size := 0, t.BlockBytes(); len(dst) > 0; i, dst = i+1, dst[size:] {
		codes := (*[32]byte)(f.leveler.codes[32*i:])
		putHalf(dst, toHalf(f.scale[i]))
		if t == Q4_0 {
			pack4((*[16]byte)(dst[2:]), codes)
		} else {
			pack5((*[20]byte)(dst[2:]), codes)
		}
	}
}

// quantizeRangedWeighed is Q4_1 and Q5_1 with an importance matrix; mean is that of the squares of the row.
func (f *fits) quantizeRangedWeighed(dst []byte, x []float32, t Type, im []float32, mean float32) {
	s, n := &search4Weighed, int32(15)
	if t == Q5_1 {
		s, n = &search5Weighed, 31
	}
	f.byMean(im, mean)
	f.searchRanged(s, x, 32)
	f.leveler.first(&f.found, x, 0, n, func(codes []byte, x []float32, g int) { f.firstRanged(codes, x, g, n) })
	for i, size := 0, t.BlockBytes(); len(dst) > 0; i, dst = i+1, dst[size:] {
		codes := (*[32]byte)(f.leveler.codes[32*i:])
		putHalf(dst, toHalf(f.scale[i]))
		putHalf(dst[2:], toHalf(-f.least[i]))
		if t == Q4_1 {
			pack4((*[16]byte)(dst[4:]), codes)
		} else {
			pack5((*[20]byte)(dst[4:]), codes)
		}
	}
}

// quantizeK finds the parameters of all groups of a piece first, then writes its blocks.
func (f *fits) quantizeK(dst []byte, x []float32, t Type, im []float32) {
	weighed := im != nil
	w, length := &f.weighing, 16
	if t == Q4_K || t == Q5_K {
		length = 32
	}
	if weighed {
		switch t {
		case Q2_K:
			w.byMeans(x, im, length, 1)
		case Q6_K:
			w.kind, w.importance = byNothingElse, im
		default:
			w.byMeans(x, im, length, 2)
		}
	} else {
		switch t {
		case Q2_K:
			w.kind = byMagnitude
		case Q4_K, Q5_K:
			w.kind = byRoot
		case Q6_K:
			w.kind = bySquare
		}
	}
	plain, search := &searchQ4_K, &search4Weighed
	switch t {
	case Q2_K:
		plain, search = &searchQ2_K, &searchQ2_KWeighed
	case Q5_K:
		plain, search = &searchQ5_K, &search5Weighed
	}
	switch {
	case t == Q6_K:
		f.searchSymmetric(x, length, 32)
	case t == Q3_K && weighed:
		f.searchSymmetric(x, length, 4)
	case t == Q3_K:
		f.searchQuick(x)
	case weighed:
		f.searchRanged(search, x, length)
	default:
		f.searchRanged(plain, x, length)
	}
	switch t {
	case Q2_K:
		f.quantizeQ2_K(dst, x, weighed)
	case Q3_K:
		f.quantizeQ3_K(dst, x, weighed)
	case Q4_K, Q5_K:
		f.quantizeK45(dst, x, t, weighed)
	case Q6_K:
		f.quantizeQ6_K(dst, x)
	}
}

// firstRanged and firstSymmetric are the codes that the search has found for a group.
func (f *fits) firstRanged(codes []byte, x []float32, g int, n int32) { f.ranged(g).codes(codes, x, n) }

func (f *fits) firstSymmetric(codes []byte, x []float32, g int, n int32) {
	f.symmetric(g).codes(codes, x, n)
}

// quantizeK45 is Q4_K and Q5_K, which have groups of 32 with a scale and a least value of six bits each, in units of d and dmin.
func (f *fits) quantizeK45(dst []byte, x []float32, t Type, weighed bool) {
	const length = 32
	size, n := t.BlockBytes(), int32(15)
	if t == Q5_K {
		n = 31
	}
	if weighed {
		f.tryPositives(len(x)/256, 256/length, 63)
	}
	for i := range len(x) / 256 {
		f.levels45((*[16]byte)(dst[size*i:]), i, weighed, t == Q5_K)
	}
	f.leveler.offset(&f.found, x, length, n, f.firstRanged)
	for i := range len(x) / 256 {
		b, codes := dst[size*i:][:size], (*[256]byte)(f.leveler.codes[256*i:])
		if t == Q5_K {
			packTops((*[32]byte)(b[16:]), codes, 4)
		}
		packHalves((*[128]byte)(b[size-128:]), codes)
	}
}

// packTops packs one bit of codes: that of element 32*j + k into bit j of byte k.
func packTops(b *[32]byte, codes *[256]byte, bit int) {
	mask, down, up := uint64(ones)<<(bit&7), bit&7, (4-bit)&7
	for k := 0; k < 32; k += 8 {
		top := func(j int) uint64 { return binary.LittleEndian.Uint64(codes[32*j+k:]) & mask }
		low := top(0) | top(1)<<1 | top(2)<<2 | top(3)<<3
		high := top(4) | top(5)<<1 | top(6)<<2 | top(7)<<3
		binary.LittleEndian.PutUint64(b[k:], low>>down|high<<up)
	}
}

// levels45 writes d, dmin, scales and minima of block i, and sets what its codes are found with.
func (f *fits) levels45(head *[16]byte, i int, weighed, five bool) {
	const most = 63
	var sl, ml [8]uint8
	var d, dmin uint16
	scales, least := (*[8]float32)(f.scale[8*i:]), (*[8]float32)(f.least[8*i:])
	packed := (*[12]byte)(head[4:])
	if weighed {
		sums := f.sums[8*i:][:8]
		d = toHalf(searchPositive(sl[:], scales[:], sums, most, f.positive[2*i]))
		dmin = toHalf(searchPositive(ml[:], least[:], sums, most, f.positive[2*i+1]))
		if five {
			for g := range sl {
				sl[g], ml[g] = min(sl[g], most), min(ml[g], most)
			}
		}
		packScales4(packed, &sl, &ml)
		sl, ml = unpackScales4(packed)
	} else {
		d, dmin = toSteps(sl[:], scales[:], most), toSteps(ml[:], least[:], most)
		packScales4(packed, &sl, &ml)
	}
	putHalf(head[:], d)
	putHalf(head[2:], dmin)
	unit, unitMin := fromHalf(d), fromHalf(dmin)
	to, offsets := (*[16]float32)(f.leveler.scales[16*i:]), (*[16]float32)(f.leveler.offsets[16*i:])
	for g := range sl {
		scale, offset := float32(unit*float32(sl[g])), float32(unitMin*float32(ml[g]))
		to[2*g], to[2*g+1], offsets[2*g], offsets[2*g+1] = scale, scale, offset, offset
	}
}

// toSteps expresses numbers in so many steps up to the largest, and returns the step. None has more than that many steps.
func toSteps(steps []uint8, values []float32, most float32) (step uint16) {
	largest := largestOf(values)
	inverse := float32(0)
	if largest > 0 {
		inverse = most / largest
	}
	values = values[:len(steps)]
	for i, v := range values {
		steps[i] = min(uint8(rounded(float32(inverse*v))), uint8(most))
	}
	return toHalf(largest / most)
}

// largestOf is the largest number that is positive, or 0.
func largestOf(values []float32) float32 {
	largest := int32(0) // the order of positive numbers is that of their bits, without a branch that is hard to foretell
	for _, v := range values {
		largest = max(largest, int32(math.Float32bits(v)))
	}
	if largest <= 0xff<<23 {
		return math.Float32frombits(uint32(largest))
	}
	most := float32(0)
	for _, v := range values { // there is a NaN
		if v > most {
			most = v
		}
	}
	return most
}

// packScales4 writes eight scales and minima of six bits.
func packScales4(b *[12]byte, scales, least *[8]uint8) {
	for k := range 4 {
		b[k] = scales[k] | scales[k+4]>>4<<6
		b[k+4] = least[k] | least[k+4]>>4<<6
		b[k+8] = scales[k+4]&15 | least[k+4]<<4
	}
}

// packHalves packs nibbles: of 64 codes the first 32 low, the others high.
func packHalves(b *[128]byte, codes *[256]byte) {
	for h := range 4 {
		halves, c := (*[32]byte)(b[32*h:]), (*[64]byte)(codes[64*h:])
		for k := 0; k < 32; k += 8 {
			low, high := binary.LittleEndian.Uint64(c[k:]), binary.LittleEndian.Uint64(c[32+k:])
			binary.LittleEndian.PutUint64(halves[k:], low&nibbles|high&nibbles<<4)
		}
	}
}

// packPairs packs the low two bits of codes: of 128 the first 32 lowest, and so on.
func packPairs(b *[64]byte, codes *[256]byte) {
	for h := range 2 {
		pairs, c := (*[32]byte)(b[32*h:]), (*[128]byte)(codes[128*h:])
		for k := 0; k < 32; k += 8 {
			v0, v1 := binary.LittleEndian.Uint64(c[k:]), binary.LittleEndian.Uint64(c[32+k:])
			v2, v3 := binary.LittleEndian.Uint64(c[64+k:]), binary.LittleEndian.Uint64(c[96+k:])
			binary.LittleEndian.PutUint64(pairs[k:], v0&threes|v1&threes<<2|v2&threes<<4|v3&threes<<6)
		}
	}
}

// quantizeQ2_K has groups of 16 with a scale and a least value of four bits each.
func (f *fits) quantizeQ2_K(dst []byte, x []float32, weighed bool) {
	const most, length, size = 15, 16, 84
	blocks := len(x) / 256
	if weighed {
		f.tryPositives(blocks, 256/length, most)
	} else {
		f.scaleSteps.find(&f.scale, blocks, 0, most)
		f.leastSteps.find(&f.least, blocks, 0, most)
	}
	for i := range blocks {
		var sl, ml [16]uint8
		var d, dmin uint16
		b, scales, least := (*[size]byte)(dst[size*i:]), (*[16]float32)(f.scale[16*i:]), (*[16]float32)(f.least[16*i:])
		if weighed {
			sums := f.sums[16*i:][:16]
			d = toHalf(searchPositive(sl[:], scales[:], sums, most, f.positive[2*i]))
			dmin = toHalf(searchPositive(ml[:], least[:], sums, most, f.positive[2*i+1]))
		} else {
			d, dmin = f.scaleSteps.toSteps2(&sl, i, scales), f.leastSteps.toSteps2(&ml, i, least)
		}
		putHalf(b[80:], d)
		putHalf(b[82:], dmin)
		unit, unitMin := fromHalf(d), fromHalf(dmin)
		to, offsets := (*[16]float32)(f.leveler.scales[16*i:]), (*[16]float32)(f.leveler.offsets[16*i:])
		for g := range sl {
			b[g] = sl[g] | ml[g]<<4
			to[g], offsets[g] = float32(unit*float32(b[g]&15)), float32(unitMin*float32(b[g]>>4))
		}
	}
	f.leveler.offset(&f.found, x, length, 3, f.firstRanged)
	for i := range len(x) / 256 {
		packPairs((*[64]byte)(dst[size*i+16:]), (*[256]byte)(f.leveler.codes[256*i:]))
	}
}

// toSteps2 is toSteps for block i of Q2_K.
func (b *blockSteps) toSteps2(steps *[16]uint8, i int, values *[16]float32) (step uint16) {
	const most = 15
	largest := b.largest[i]
	if b.usual[i] {
		*steps = b.codes[i]
		return toHalf(largest / most)
	}
	largest = largestOf(values[:])
	if !(largest > 0) {
		clear(steps[:])
		return 0
	}
	inverse := most / largest
	for i, v := range values {
		steps[i] = uint8(rounded(float32(inverse * v)))
	}
	return toHalf(largest / most)
}

// quantizeQ3_K has groups of 16 with a scale of six bits and a sign.
func (f *fits) quantizeQ3_K(dst []byte, x []float32, weighed bool) {
	const n, length, size = 4, 16, 110
	blocks := len(x) / 256
	if weighed {
		f.searchScales(blocks)
	} else {
		f.scaleSteps.find(&f.scale, blocks, -32, 31)
	}
	for i := range blocks {
		var sl [16]uint8
		var d uint16
		b, scales := (*[size]byte)(dst[size*i:]), (*[16]float32)(f.scale[16*i:])
		if weighed {
			f.second[i].codes(sl[:], scales[:], 32)
			d = toHalf(f.second[i].scale)
		} else if f.scaleSteps.usual[i] {
			sl = f.scaleSteps.codes[i]
			d = toHalf(1 / (-32 / f.scaleSteps.largest[i]))
		} else if most := firstLargest(scales[:]); most != 0 {
			inverse := -32 / most
			for g, s := range scales {
				sl[g] = byte(max(min(int8(rounded(float32(inverse*s))), 31), -32) + 32)
			}
			d = toHalf(1 / inverse)
		}
		packScales3((*[12]byte)(b[96:]), &sl)
		putHalf(b[108:], d)
		unit, to := fromHalf(d), (*[16]float32)(f.leveler.scales[16*i:])
		for g, s := range sl {
			to[g] = float32(unit * float32(int(s)-32))
		}
	}
	first := func(codes []byte, x []float32, _ int, n int32) { searchQuick(codes, x, n) }
	if weighed {
		first = f.firstSymmetric
	}
	f.leveler.signed(&f.found, x, length, n, first)
	for i := range len(x) / 256 {
		b, codes := (*[size]byte)(dst[size*i:]), (*[256]byte)(f.leveler.codes[256*i:])
		packTops((*[32]byte)(b[:]), codes, 2)
		packPairs((*[64]byte)(b[32:]), codes)
	}
}

// blockSteps has the second level of the blocks of a piece, which have sixteen numbers each, as generated code finds it.
type blockSteps struct {
	codes   [pieceLen / 256][16]uint8 // clamp(round(number * (the end of the steps / largest))) less the least step
	largest [pieceLen / 256]float32   // magnitude, with its sign
	usual   [pieceLen / 256]bool      // the others are left to the portable code
}

// find expresses the numbers of blocks in steps from least to most. Where the least is negative, it is that of the number of largest magnitude.
func (b *blockSteps) find(numbers *[pieceLen / 16]float32, blocks int, least, most int32) {
	clear(b.usual[:])
	impl := isa.Current()
	if impl == asm.Generic {
		return
	}
	var low, bases, factors [pieceLen / 256]float32
	asm.Reach[float32](impl, asm.F32, unsafe.Pointer(&numbers[0]), &low[0], &b.largest[0], blocks, 16)
	end := float32(most)
	for i, high := range b.largest[:blocks] {
		alone := low[i] == 0 // the largest magnitude is of one sign, and no number is NaN
		if least < 0 {
			end, alone = float32(least), low[i] < -high || low[i] > -high
			if low[i] < -high {
				high = low[i]
			}
		}
		b.largest[i], factors[i] = high, end/high
		b.usual[i] = alone && abs32(high) >= tiny && finite(high)
	}
	levels := levelsOf(least, most, least)
	asm.ProductCodes(impl, &b.codes[0][0], &numbers[0], &bases[0], &factors[0], &levels[0], (blocks+3)/4)
}

// packScales3 writes sixteen scales of six bits: of each the low four, those of two in a byte, then the high two, those of four.
func packScales3(b *[12]byte, scales *[16]uint8) {
	low, high := binary.LittleEndian.Uint64(scales[:]), binary.LittleEndian.Uint64(scales[8:])
	binary.LittleEndian.PutUint64(b[:], low&nibbles|high&nibbles<<4)
	tops := low>>4&threes | high&(threes<<4)
	binary.LittleEndian.PutUint32(b[8:], uint32(tops)|uint32(tops>>32)<<2)
}

// quantizeQ6_K has groups of 16 with a scale of eight bits.
func (f *fits) quantizeQ6_K(dst []byte, x []float32) {
	const n, length, size = 32, 16, 210
	var zero [pieceLen / 256]bool
	steps := &f.scaleSteps
	steps.find(&f.scale, len(x)/256, -128, 127)
	for i := range len(x) / 256 {
		b, scales := (*[size]byte)(dst[size*i:]), (*[16]float32)(f.scale[16*i:])
		most := steps.largest[i]
		if !steps.usual[i] {
			most = firstLargest(scales[:])
		}
		if zero[i] = abs32(most) < tiny; zero[i] {
			clear(b[:])
			clear(f.leveler.scales[16*i:][:16])
			continue
		}
		inverse := -128 / most
		d := toHalf(1 / inverse)
		putHalf(b[208:], d)
		unit, to := fromHalf(d), (*[16]float32)(f.leveler.scales[16*i:])
		for g, s := range scales {
			step := int8(steps.codes[i][g] ^ 0x80)
			if !steps.usual[i] {
				step = int8(min(rounded(float32(inverse*s)), 127))
			}
			b[192+g] = byte(step)
			to[g] = float32(unit * float32(step))
		}
	}
	f.leveler.signed(&f.found, x, length, n, f.firstSymmetric)
	for i := range len(x) / 256 {
		if !zero[i] {
			pack6((*[192]byte)(dst[size*i:]), (*[256]byte)(f.leveler.codes[256*i:]))
		}
	}
}

// pack6 packs codes of six bits: low ones as nibbles, high ones as pairs.
func pack6(b *[192]byte, codes *[256]byte) {
	for h := range 2 {
		low, high, c := (*[64]byte)(b[64*h:]), (*[32]byte)(b[128+32*h:]), (*[128]byte)(codes[128*h:])
		for k := 0; k < 32; k += 8 {
			v0, v1 := binary.LittleEndian.Uint64(c[k:]), binary.LittleEndian.Uint64(c[32+k:])
			v2, v3 := binary.LittleEndian.Uint64(c[64+k:]), binary.LittleEndian.Uint64(c[96+k:])
			binary.LittleEndian.PutUint64(low[k:], v0&nibbles|v2&nibbles<<4)
			binary.LittleEndian.PutUint64(low[32+k:], v1&nibbles|v3&nibbles<<4)
			binary.LittleEndian.PutUint64(high[k:], v0>>4&threes|v1>>4&threes<<2|v2>>4&threes<<4|v3>>4&threes<<6)
		}
	}
}

// quantizeIQ4 is IQ4_NL and IQ4_XS, which has groups of 32 with a scale of six bits.
func (f *fits) quantizeIQ4(dst []byte, x []float32, t Type, im []float32) {
	f.weighing.kind, f.weighing.importance = bySquare, im
	if im != nil {
		f.weighing.kind = byImportance
		length := t.BlockLen()
		sumsOfSquares(x, length, func(block int, sum float32) {
			mean := float32(sum * (2 / float32(length)))
			for g := range length / 32 {
				f.weighing.means[length/32*block+g] = mean
			}
		})
	}
	f.searchIQ4(x)
	l := &f.leveler
	if t == IQ4_XS {
		for i := range len(x) / 256 {
			l.stepsIQ4_XS((*[8]byte)(dst[136*i:]), (*[8]float32)(f.scale[8*i:]), i)
		}
		l.values(&f.found, x)
		for g := range len(x) / 32 {
			pack4((*[16]byte)(dst[g/8*136+8+g%8*16:]), (*[32]byte)(l.codes[32*g:]))
		}
		return
	}
	for g := range len(x) / 32 {
		factor := inverse(f.scale[g])
		l.scales[2*g], l.scales[2*g+1] = factor, factor
	}
	l.values(&f.found, x)
	for g := range len(x) / 32 {
		b := dst[18*g:][:18]
		putHalf(b, toHalf(f.scale[g]))
		pack4((*[16]byte)(b[2:]), (*[32]byte)(l.codes[32*g:]))
	}
}

// stepsIQ4_XS writes the scales of block i, and sets what its codes are found with.
func (l *leveler) stepsIQ4_XS(b *[8]byte, scales *[8]float32, i int) {
	d := -firstLargest(scales[:]) / 32
	clear(b[:])
	putHalf(b[:], toHalf(d))
	id := inverse(d)
	high := uint16(0)
	factors := (*[16]float32)(l.scales[16*i:])
	for g, s := range scales {
		step := max(min(rounded(float32(id*s)), 31), -32)
		factor := inverse(float32(d * float32(step)))
		factors[2*g], factors[2*g+1] = factor, factor
		code := byte(step + 32)
		b[4+g/2] |= code & 15 << (4 * (g % 2))
		high |= uint16(code>>4) << (2 * g)
	}
	binary.LittleEndian.PutUint16(b[2:], high)
}
