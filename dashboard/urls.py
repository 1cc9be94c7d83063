"""Addresses of the pages and of the parts that they fetch again."""

from django.urls import path

from dashboard.views import account, actions, add, connection, connections, explore, overview

app_name = "dashboard"
urlpatterns = [
    path("", overview.overview, name="overview"),
    path("progress/", overview.progress, name="progress"),
    path("explore/", explore.explore, name="explore"),
    path("explore/table.csv", explore.table_csv, name="table_csv"),
    path("explore/chart.csv", explore.chart_csv, name="chart_csv"),
    path("explore/filters/<slug:dimension>/", explore.filter_values, name="filter_values"),
    path("account/", account.switch, name="switch_account"),
    path("connections/", connections.connections, name="connections"),
    path("connections/add/", add.add, name="add"),
    path("connections/add/test/", add.test_key, name="test_key"),
    path("connections/<uuid:connection_id>/", connection.connection, name="connection"),
    path("connections/<uuid:connection_id>/status/", connection.status, name="connection_status"),
    path("connections/<uuid:connection_id>/runs/", connection.runs, name="connection_runs"),
    path("connections/<uuid:connection_id>/edit/", connection.edit, name="edit"),
    path("connections/<uuid:connection_id>/rotate-key/", connection.rotate, name="rotate"),
    path("connections/<uuid:connection_id>/disconnect/", connection.disconnect, name="disconnect"),
    path("connections/<uuid:connection_id>/test/", actions.test, name="test"),
    path("connections/<uuid:connection_id>/sync/", actions.sync, name="sync"),
    path("connections/<uuid:connection_id>/pause/", actions.pause, name="pause"),
    path("connections/<uuid:connection_id>/resume/", actions.resume, name="resume"),
]
