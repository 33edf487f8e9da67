package philox

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBlock holds the generator against the known answers of Random123, its authors' own library.
func TestBlock(t *testing.T) {
	const all = ^uint64(0)
	for _, c := range []struct {
		key, low, high uint64
		want           [4]uint32
	}{
		{0, 0, 0, [4]uint32{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
		{all, all, all, [4]uint32{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
		{0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e, [4]uint32{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
	} {
		require.Equal(t, c.want, Block(c.key, c.low, c.high))
	}
}

// TestWords takes a stream apart: every part has the words of the whole.
func TestWords(t *testing.T) {
	s := Stream{Seed: 12345678901, Stream: 42}
	const first = 1<<32*4 - 5 // the low half of the counter overflows within
	whole := make([]uint32, 40)
	s.Words(whole, first)
	for i, w := range whole {
		require.Equal(t, Block(s.Seed, (first+uint64(i))/4, s.Stream)[(first+uint64(i))%4], w)
	}
	for from := range whole {
		for to := from; to <= len(whole); to++ {
			part := make([]uint32, to-from)
			s.Words(part, first+uint64(from))
			require.Equal(t, whole[from:to], part)
		}
	}
}
