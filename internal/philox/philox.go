// Package philox is the counter-based random number generator Philox4x32-10 of
// Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3"
// (2011): a block of four words is a function of a key and a counter alone.
package philox

import "math/bits"

const (
	multiplier0, multiplier1 = 0xD2511F53, 0xCD9E8D57
	weyl0, weyl1             = 0x9E3779B9, 0xBB67AE85
	rounds                   = 10
)

// Block is the words of a counter of 128 bits, low and high, under a key.
func Block(key, low, high uint64) [4]uint32 {
	c0, c1, c2, c3 := uint32(low), uint32(low>>32), uint32(high), uint32(high>>32)
	k0, k1 := uint32(key), uint32(key>>32)
	for range rounds {
		hi0, lo0 := bits.Mul32(multiplier0, c0)
		hi1, lo1 := bits.Mul32(multiplier1, c2)
		c0, c1, c2, c3 = hi1^c1^k0, lo1, hi0^c3^k1, lo0
		k0, k1 = k0+weyl0, k1+weyl1
	}
	return [4]uint32{c0, c1, c2, c3}
}

// Stream is random words by index: word i is one of the four of block i/4. It is
// what torch's Philox engine gives for the seed, the stream as its subsequence and
// i/4 as its offset.
type Stream struct{ Seed, Stream uint64 }

// Keys are the words of the seed for each round, with what the first rounds have in common for all blocks whose numbers have the upper half of block's.
// A block with the lower half n and the keys k then has after two rounds the words
//
//	hi(m1*w) ^ k[2], lo(m1*w), lo(m0*n) ^ k[3], 0        w = hi(m0*n) ^ k[1]
//
// and the other rounds are the generator's own.
func (s Stream) Keys(block uint64) (keys [2 * rounds]uint32) {
	k0, k1 := uint32(s.Seed), uint32(s.Seed>>32)
	for i := 0; i < len(keys); i += 2 {
		keys[i], keys[i+1] = k0, k1
		k0, k1 = k0+weyl0, k1+weyl1
	}
	hi1, lo1 := bits.Mul32(multiplier1, uint32(s.Stream))
	hi0, lo0 := bits.Mul32(multiplier0, hi1^uint32(block>>32)^keys[0])
	keys[1] ^= uint32(s.Stream >> 32)
	keys[2] ^= lo1
	keys[3] ^= hi0
	keys[5] ^= lo0
	return keys
}

// Words sets dst to the words from index first on.
func (s Stream) Words(dst []uint32, first uint64) {
	for len(dst) > 0 {
		b := Block(s.Seed, first/4, s.Stream)
		n := copy(dst, b[first%4:])
		dst, first = dst[n:], first+uint64(n)
	}
}
