"""What the reports share: the page around them, their style, numbers as text, and small copies of images.

page_templates  render a page from the templates of a report, skeleton.html and page.css
number_format   numbers as text
thumbnails      small copies of images
"""
