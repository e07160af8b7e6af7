#include "base/error.h"

#include <errno.h>

const char *fg_error_name(int error)
{
    switch (error) {
    case FG_OK:
        return "ok";
    case FG_EINVALID:
        return "invalid";
    case FG_ENOMEM:
        return "out of memory";
    case FG_ELIMIT:
        return "limit reached";
    case FG_EAGAIN:
        return "try again";
    case FG_ENOTFOUND:
        return "not found";
    case FG_EDENIED:
        return "denied";
    case FG_EIO:
        return "input/output error";
    case FG_ECORRUPT:
        return "corrupt";
    case FG_ENOSPACE:
        return "no space";
    case FG_EUNSUPPORTED:
        return "unsupported";
    case FG_EEXIST:
        return "exists";
    case FG_EBUSY:
        return "busy";
    case FG_ECANCELLED:
        return "cancelled";
    case FG_ETIMEOUT:
        return "timed out";
    default:
        return "unknown error";
    }
}

int fg_error_from_errno(int errno_value)
{
    switch (errno_value) {
    case 0:
        return FG_OK;
    case ENOMEM:
        return FG_ENOMEM;
    case EAGAIN:
    case EINTR:
        return FG_EAGAIN;
    case ENOENT:
    case ENOTDIR:
        return FG_ENOTFOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return FG_EDENIED;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return FG_ENOSPACE;
    case EEXIST:
        return FG_EEXIST;
    case EINVAL:
    case ENAMETOOLONG:
        return FG_EINVALID;
    case EBUSY:
        return FG_EBUSY;
    case ETIMEDOUT:
        return FG_ETIMEOUT;
    default:
        return FG_EIO;
    }
}
