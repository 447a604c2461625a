"""What S3 is asked for, beyond what every store of files promises."""

from __future__ import annotations

import base64
import json
import os
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from stylizer_service.aws import open_ports
from stylizer_service.aws.clients import Clients
from stylizer_service.aws.reader import FIRST_BLOCK
from stylizer_service.aws.settings import ApiSettings, PainterSettings
from stylizer_service.ports import Blobs
from stylizer_service.usecases import Service

from .conftest import THROTTLED, Line, break_off, refuse
