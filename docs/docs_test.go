// Package docs holds the pages to the code: there is nothing in it but this test.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCode holds the Go code of each page against the tested examples: every block has to be in one of them, line by line.
func TestCode(t *testing.T) {
	var examples []string
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			var text []byte
			if text, err = os.ReadFile(path); err == nil && strings.Contains(string(text), "func Example") {
				examples = append(examples, trimmed(string(text)))
			}
		}
		return err
	})
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)\n```go\n(.*?)```")
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, code := range block.FindAllStringSubmatch(string(text), -1) {
			found := false
			for _, e := range examples {
				found = found || strings.Contains(e, trimmed(code[1]))
			}
			require.True(t, found, "%s: in no tested example:\n%s", page, code[1])
		}
	}
}

// TestLinks follows the links between pages.
func TestLinks(t *testing.T) {
	link, fenced := regexp.MustCompile(`\]\(([^):]+?)(#[^)]*)?\)`), regexp.MustCompile("(?s)```.*?```")
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	for _, page := range append(pages, "../README.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, to := range link.FindAllStringSubmatch(fenced.ReplaceAllString(string(text), ""), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(page), to[1]))
			require.NoError(t, err, "%s links to %s", page, to[1])
		}
	}
}

// TestFiles looks for the files that the pages name.
func TestFiles(t *testing.T) {
	file := regexp.MustCompile("`([a-z0-9_]+/[a-z0-9_/]*\\.[a-z]+)`")
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	named := 0
	for _, page := range append(pages, "../README.md", "../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, name := range file.FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join("..", filepath.FromSlash(name[1])))
			require.NoError(t, err, "%s names %s", page, name[1])
			named++
		}
	}
	require.NotZero(t, named)
}

// trimmed is text without indentation and comments behind code; what an example does with an error differs from what a page does.
func trimmed(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " // ")
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	text = strings.Join(lines, "\n") + "\n"
	return regexp.MustCompile(`(?:panic|log\.Fatal)\(err\)|return err`).ReplaceAllString(text, "…")
}
