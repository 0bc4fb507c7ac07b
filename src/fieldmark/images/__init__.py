"""Images in: read from files, and checked as arrays."""

from fieldmark.images.check import check_images
from fieldmark.images.read import FITS, PIXEL_LIMIT, SUFFIXES, find_images, read_images, read_one

__all__ = ["FITS", "PIXEL_LIMIT", "SUFFIXES", "check_images", "find_images", "read_images", "read_one"]
