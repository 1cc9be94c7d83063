"""What every REST endpoint is made of: fields, parameters, pages, errors, the OpenAPI document; knows no endpoint."""
