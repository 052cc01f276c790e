/** `/server`: is everything running, does it keep pace, is all the data there, is there room. */
import { Alerts } from './Alerts.tsx';
import { Feeds } from './Feeds.tsx';
import { DatabasePanel, MachinePanel } from './Room.tsx';
import classes from './Server.module.css';
import { Services } from './Services.tsx';

export default function ServerPage() {
  return (
    <div className={classes.page}>
      <MachinePanel />
      <Alerts />
      <Services />
      <Feeds />
      <DatabasePanel />
    </div>
  );
}
