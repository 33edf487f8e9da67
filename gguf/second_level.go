package gguf

import (
	"math"
	"unsafe"

	"github.com/lowbit-go/lowbit/internal/asm"
	"github.com/lowbit-go/lowbit/internal/isa"
)

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
