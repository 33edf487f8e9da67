package safetensors

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// scanner reads the part of JSON that a header uses: objects, arrays, strings and integers that are not negative. It is strict where
// encoding/json is lenient: invalid UTF-8 is the caller's to refuse beforehand, a surrogate without its pair is an error, and the
// caller asks for the kind of value that must come next, or skips one of any kind.
type scanner struct {
	text string
	pos  int
}

// object reads an object; member is called behind each key's colon and reads the value.
func (s *scanner) object(member func(key string) error) error {
	if err := s.open('{', "an object"); err != nil {
		return err
	}
	return s.list('}', func() error {
		key, err := s.string()
		if err != nil {
			return err
		}
		if s.peek() != ':' {
			return s.want("':'")
		}
		s.pos++
		return member(key)
	})
}

// array reads an array; element reads one of its values.
func (s *scanner) array(element func() error) error {
	if err := s.open('[', "an array"); err != nil {
		return err
	}
	return s.list(']', element)
}

func (s *scanner) open(bracket byte, what string) error {
	if s.peek() != bracket {
		return s.want(what)
	}
	s.pos++
	return nil
}

func (s *scanner) list(closing byte, item func() error) error {
	if s.peek() == closing {
		s.pos++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		switch s.peek() {
		case ',':
			s.pos++
		case closing:
			s.pos++
			return nil
		default:
			return s.want(fmt.Sprintf("',' or %q", closing))
		}
	}
}

// integer reads a number that is written as digits alone.
func (s *scanner) integer() (int64, error) {
	first := s.peek()
	if first == '-' {
		return 0, s.fail("negative number")
	}
	if !isDigit(first) {
		return 0, s.want("a number")
	}
	n := int64(0)
	start := s.pos
	for s.pos < len(s.text) && isDigit(s.text[s.pos]) {
		d := int64(s.text[s.pos] - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, s.fail("number too large")
		}
		n = n*10 + d
		s.pos++
	}
	if first == '0' && s.pos > start+1 {
		s.pos = start
		return 0, s.fail("number with a leading zero")
	}
	if s.pos < len(s.text) && strings.IndexByte(".eE", s.text[s.pos]) >= 0 {
		s.pos = start
		return 0, s.fail("number that is not written as an integer")
	}
	return n, nil
}

// null reads null if that comes next.
func (s *scanner) null() bool {
	s.peek()
	if !strings.HasPrefix(s.text[s.pos:], "null") {
		return false
	}
	s.pos += len("null")
	return true
}

// deepest is how deep a value that is skipped may be nested, as in the format's own library.
const deepest = 127

// skip reads a value of any kind, which matters to nobody; depth is how many others it lies in.
func (s *scanner) skip(depth int) error {
	if depth == deepest {
		return s.fail("nested too deeply")
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(func(string) error { return s.skip(depth + 1) })
	case c == '[':
		return s.array(func() error { return s.skip(depth + 1) })
	case c == '"':
		_, err := s.string()
		return err
	case c == '-' || isDigit(c):
		return s.number()
	}
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(s.text[s.pos:], word) {
			s.pos += len(word)
			return nil
		}
	}
	return s.want("a value")
}

// number reads a number of any kind.
func (s *scanner) number() error {
	start := s.pos
	for s.pos < len(s.text) && (isDigit(s.text[s.pos]) || strings.IndexByte("+-.eE", s.text[s.pos]) >= 0) {
		s.pos++
	}
	if !json.Valid([]byte(s.text[start:s.pos])) {
		s.pos = start
		return s.fail("number that is none")
	}
	return nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// string reads a string. Without escapes it shares the header's memory.
func (s *scanner) string() (string, error) {
	if s.peek() != '"' {
		return "", s.want("a string")
	}
	s.pos++
	var unescaped []byte
	start := s.pos
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; {
		case c == '"':
			tail := s.text[start:s.pos]
			s.pos++
			if unescaped == nil {
				return tail, nil
			}
			unescaped = append(unescaped, tail...)
			return unsafe.String(unsafe.SliceData(unescaped), len(unescaped)), nil
		case c < 0x20:
			return "", s.fail(fmt.Sprintf("control character %#02x in a string", c))
		case c == '\\':
			if unescaped == nil {
				unescaped = make([]byte, 0, s.closing()-start)
			}
			unescaped = append(unescaped, s.text[start:s.pos]...)
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			unescaped = utf8.AppendRune(unescaped, r)
			start = s.pos
		default:
			s.pos++
		}
	}
	return "", s.want("'\"' at the end of a string")
}

// closing finds the quotation mark that ends a string.
func (s *scanner) closing() int {
	pos := s.pos
	for pos < len(s.text) && s.text[pos] != '"' {
		if s.text[pos] == '\\' {
			pos++
		}
		pos++
	}
	return pos
}

// escape reads a backslash and what belongs to it.
func (s *scanner) escape() (rune, error) {
	rest := s.text[s.pos:]
	if len(rest) < 2 {
		return 0, s.fail("unfinished escape in a string")
	}
	if i := strings.IndexByte(`"\/bfnrt`, rest[1]); i >= 0 {
		s.pos += 2
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	r, ok := hexEscape(rest)
	if !ok {
		return 0, s.fail("unknown escape in a string")
	}
	if !utf16.IsSurrogate(r) {
		s.pos += 6
		return r, nil
	}
	low, _ := hexEscape(rest[6:])
	r = utf16.DecodeRune(r, low)
	if r == utf8.RuneError {
		return 0, s.fail("half of a surrogate pair in a string")
	}
	s.pos += 12
	return r, nil
}

// hexEscape reads \uXXXX at the start of text.
func hexEscape(text string) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	r, err := strconv.ParseUint(text[2:6], 16, 16)
	return rune(r), err == nil
}

// end makes sure that nothing but white space is left.
func (s *scanner) end() error {
	s.peek()
	if s.pos < len(s.text) {
		return s.want("the end of the header")
	}
	return nil
}

// peek skips white space and gives the byte that follows, 0 at the end (a 0 in the text is no token either).
func (s *scanner) peek() byte {
	for ; s.pos < len(s.text); s.pos++ {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) want(what string) error {
	if s.pos == len(s.text) {
		return s.fail("want " + what + ", have the header's end")
	}
	r, _ := utf8.DecodeRuneInString(s.text[s.pos:])
	return s.fail(fmt.Sprintf("want %s, have %q", what, r))
}

func (s *scanner) fail(why string) error {
	return fmt.Errorf("header, byte %d: %s", s.pos, why)
}

// withoutSpace drops JSON's white space.
func withoutSpace(text string) string {
	const space = " \t\n\r"
	if !strings.ContainsAny(text, space) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(space, r) }) {
		b.WriteString(part)
	}
	return b.String()
}
