package beam

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"math/bits"
)

// exactWords is how many words an exact sum has: bits from 2^-1074 to 2^1023, and 63 for as many terms.
const exactWords = (1074 + 1024 + 63 + 63) / 64

// exactSum is a sum of numbers that are not negative, without rounding: the same in whatever order and by whatever parts it is added up.
// The zero value is 0.
type exactSum struct {
	words [exactWords]uint64 // of a fixed-point number whose last bit is 2^-1074
	odd   bool               // an infinity or a NaN was added
}

// add adds a number that is not negative.
func (s *exactSum) add(x float64) {
	if !(x <= math.MaxFloat64) {
		s.odd = true
		return
	}
	b := math.Float64bits(x)
	mantissa, exponent := b&(1<<52-1), int(b>>52&0x7ff)
	if exponent > 0 {
		mantissa |= 1 << 52
		exponent--
	}
	i, shift := exponent/64, uint(exponent%64)
	var carry uint64
	s.words[i], carry = bits.Add64(s.words[i], mantissa<<shift, 0)
	high := uint64(0)
	if shift > 0 {
		high = mantissa >> (64 - shift)
	}
	for i++; high != 0 || carry != 0; i++ {
		s.words[i], carry = bits.Add64(s.words[i], high, carry)
		high = 0
	}
}

// merge adds another sum.
func (s *exactSum) merge(t *exactSum) {
	var carry uint64
	for i := range s.words {
		s.words[i], carry = bits.Add64(s.words[i], t.words[i], carry)
	}
	s.odd = s.odd || t.odd
}

// value is the sum rounded once, to even; NaN if what was added was no number.
func (s *exactSum) value() float64 {
	if s.odd {
		return math.NaN()
	}
	sum := new(big.Int)
	for i := len(s.words) - 1; i >= 0; i-- {
		sum.Lsh(sum, 64).Or(sum, new(big.Int).SetUint64(s.words[i]))
	}
	f := new(big.Float).SetInt(sum)
	f.SetMantExp(f, -1074)
	v, _ := f.Float64()
	return v
}

// MarshalText writes the sum as the hexadecimal digits of the fixed-point number, the lowest word that is not 0 and its number first.
func (s exactSum) MarshalText() ([]byte, error) {
	if s.odd {
		return []byte("odd"), nil
	}
	first, end := 0, len(s.words)
	for end > 0 && s.words[end-1] == 0 {
		end--
	}
	for first < end && s.words[first] == 0 {
		first++
	}
	var raw []byte
	for _, w := range s.words[first:end] {
		for range 8 {
			raw, w = append(raw, byte(w)), w>>8
		}
	}
	return fmt.Appendf(nil, "%d:%s", first, hex.EncodeToString(raw)), nil
}

// UnmarshalText reads what MarshalText writes.
func (s *exactSum) UnmarshalText(text []byte) error {
	*s = exactSum{}
	if string(text) == "odd" {
		s.odd = true
		return nil
	}
	var first int
	var digits string
	fmt.Sscanf(string(text), "%d:%s", &first, &digits)
	raw, err := hex.DecodeString(digits)
	if err != nil || first < 0 || first+(len(raw)+7)/8 > len(s.words) {
		return fmt.Errorf("sum is %.40q, want what MarshalText writes", text)
	}
	for i, b := range raw {
		s.words[first+i/8] |= uint64(b) << (i % 8 * 8)
	}
	return nil
}
