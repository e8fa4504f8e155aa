// Writes the tree "tree" as ustar.tar, pax.tar and gnu.tar with Go's archive/tar.
package main

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"time"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func write(name string, format tar.Format) {
	file, err := os.Create(name)
	check(err)
	writer := tar.NewWriter(file)
	check(filepath.Walk("tree", func(path string, info os.FileInfo, err error) error {
		check(err)
		target := ""
		if info.Mode()&os.ModeSymlink != 0 {
			target, err = os.Readlink(path)
			check(err)
		}
		header, err := tar.FileInfoHeader(info, target)
		check(err)
		header.Name = filepath.ToSlash(path)
		header.Format = format
		header.AccessTime, header.ChangeTime = time.Time{}, time.Time{}
		if format != tar.FormatPAX {
			header.ModTime = header.ModTime.Truncate(time.Second)
		}
		if format == tar.FormatUSTAR && (len(header.Name) > 100 || len(target) > 100 || header.Name != filepath.Clean(header.Name)) {
			return nil
		}
		check(writer.WriteHeader(header))
		if info.Mode().IsRegular() {
			content, err := os.Open(path)
			check(err)
			_, err = io.Copy(writer, content)
			check(err)
			check(content.Close())
		}
		return nil
	}))
	check(writer.Close())
	check(file.Close())
}

func main() {
	write("ustar.tar", tar.FormatUSTAR)
	write("pax.tar", tar.FormatPAX)
	write("gnu.tar", tar.FormatGNU)
}
