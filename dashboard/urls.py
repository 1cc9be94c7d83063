"""Addresses of the pages and of the parts that they fetch again."""

from django.urls import path

from dashboard import entities
from dashboard.views import (
    account,
    actions,
    add,
    connection,
    connections,
    cost_centers,
    dashboards,
    explore,
    exports,
    overview,
    saved,
    usage,
)

app_name = "dashboard"
urlpatterns = [
    path("", overview.home, name="home"),
    path("overview/", overview.overview, name="overview"),
    path("progress/", overview.progress, name="progress"),
    path("explore/", explore.explore, name="explore"),
    path("explore/table.csv", explore.table_csv, name="table_csv"),
    path("explore/chart.csv", explore.chart_csv, name="chart_csv"),
    path("explore/movers/", explore.movers, name="movers"),
    path("explore/filters/<slug:dimension>/", explore.filter_values, name="filter_values"),
    *(
        path(f"{kind}/<str:value>/", explore.entity, {"kind": kind}, name=f"entity_{kind}")
        for kind in entities.DIMENSIONS
    ),
    path("usage/", usage.usage, name="usage"),
    path("usage/table.csv", usage.usage_csv, name="usage_csv"),
    path("usage/caching/", usage.caching, name="caching"),
    path("exports/", exports.exports, name="exports"),
    path("settings/cost-centers/", cost_centers.cost_centers, name="cost_centers"),
    path("views/", saved.views, name="views"),
    path("views/save/", saved.save, name="save_view"),
    path("views/<uuid:view_id>/", saved.open_view, name="view"),
    path("views/<uuid:view_id>/edit/", saved.edit_view, name="edit_view"),
    path("views/<uuid:view_id>/replace/", saved.replace_state, name="replace_state"),
    path("views/<uuid:view_id>/delete/", saved.delete_view, name="delete_view"),
    path("home/", saved.pin, name="pin"),
    path("dashboards/", dashboards.dashboards, name="dashboards"),
    path("dashboards/make/", dashboards.make_dashboard, name="make_dashboard"),
    path("dashboards/<uuid:dashboard_id>/", dashboards.dashboard, name="dashboard"),
    path("dashboards/<uuid:dashboard_id>/arrange/", dashboards.arrange, name="arrange"),
    path("dashboards/<uuid:dashboard_id>/edit/", dashboards.edit_dashboard, name="edit_dashboard"),
    path("dashboards/<uuid:dashboard_id>/delete/", dashboards.delete_dashboard, name="delete_dashboard"),
    path("dashboards/<uuid:dashboard_id>/tiles/<int:tile_id>/", dashboards.tile, name="tile"),
    path(
        "dashboards/<uuid:dashboard_id>/tiles/<int:tile_id>/change/",
        dashboards.change_tile,
        name="change_tile",
    ),
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
