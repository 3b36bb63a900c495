"""What the reports share: the style, numbers as text, and small copies of images.

number_format  numbers as text
thumbnails     small copies of images
page.css       the style of the pages
"""
